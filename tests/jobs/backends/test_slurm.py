"""What only Slurm has, on the real one: queues, names, accounts (see test_conformance.py)."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import JobRequest, Resources
from tests.jobs.backends.desk import Desk
from tests.jobs.workplace import code, write_notebook
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

GIB = 2**30


def test_a_job_is_called_by_its_id_and_a_closed_queue_is_told(desk: Desk, cluster: Slurm) -> None:
    job = desk.submit("print(1)", queue="closed")
    assert job.backend_id
    assert cluster.call("squeue", "-h", "-o", "%j")[1].strip() == f"mlinfn-{job.id}"
    waiting = desk.look(job.id)
    assert waiting.reason is not None
    assert "closed" in waiting.reason.text


def test_the_offer_tells_queues_and_what_is_free(desk: Desk) -> None:
    backend = desk.bench.backends["slurm"]
    queues = {queue.name: queue for queue in backend.queues()}
    assert set(queues) == {"normal", "opportunistic", "closed"}
    assert queues["normal"].default
    assert queues["normal"].gpus == 6
    assert queues["normal"].gpu_models == ("t4",)
    (shape,) = queues["normal"].gpu_shapes
    assert (shape.name, shape.memory, shape.total, shape.free) == ("t4", 16 * GIB, 6, 6)
    assert queues["normal"].free is not None
    assert queues["normal"].free.cpus == 6
    assert queues["opportunistic"].time_limit == 7200
    assert queues["closed"].text
    assert backend.limits().cpus == 2
    assert backend.forecast(Resources()).starts_now
    assert not backend.forecast(Resources(), "closed").starts_now


@pytest.mark.parametrize(
    ("asked", "told", "named"),
    [
        ({"queue": "night"}, "unknown-queue", "opportunistic"),
        ({"charge": "ml"}, "unknown-charge", "no accounts"),
        ({"resources": Resources(gpus=3)}, "asks-too-much", "2 GPUs"),
        ({"queue": "opportunistic", "resources": Resources(time=86000)}, "asks-too-much", "2 h"),
        ({"resources": Resources(memory=5 * GIB)}, "asks-too-much", "memory"),
    ],
)
def test_what_slurm_could_never_run_is_a_problem_of_the_draft(
    desk: Desk, asked: dict[str, object], told: str, named: str
) -> None:
    source = str(write_notebook(desk.work / "other.ipynb", code("print(1)")))
    request = JobRequest(source=source, backend="slurm", **asked)
    draft = desk.bench.submission.draft(request)
    assert [problem.code for problem in draft.problems] == [told]
    assert named in draft.problems[0].text
    with pytest.raises(MlinfnError):
        desk.bench.submission.submit(request)
