"""Jobs on a real Slurm, from the form's request to the published notebook."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import JobRequest, Resources
from tests.jobs.backends.desk import Desk, texts
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

GIB = 2**30


def test_a_notebook_runs_on_slurm_with_its_parameters_and_publishes_its_outputs(
    desk: Desk, cluster: Slurm
) -> None:
    job = desk.submit(
        "print(lr * 2)",
        "open('weights.txt', 'w').write(str(lr))",
        "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], 'SLURM_JOB_ID' in os.environ)",
        cell="lr = 0.1",
        parameters={"lr": 0.5},
        outputs=("weights.txt",),
        gpus=1,
    )
    assert job.backend_id
    assert cluster.call("squeue", "-h", "-o", "%j")[1].strip() == f"mlinfn-{job.id}"
    done = desk.until(job.id, "succeeded")
    assert texts(done.output)[0] == "1.0\n"
    assert texts(done.output)[1].split()[0] in ("0", "1")
    assert (desk.work / "results" / f"study-{job.id}" / "weights.txt").read_text() == "0.5"
    assert done.attempts == 1
    assert done.started_at is not None


def test_a_failing_cell_ends_the_job_with_its_error(desk: Desk) -> None:
    job = desk.submit("print('before')", "1 / 0")
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "notebook-error"
    assert "ZeroDivisionError" in done.reason.text
    assert texts(done.output)[0] == "before\n"


def test_a_waiting_job_says_why_and_leaves_slurm_when_it_is_cancelled(
    desk: Desk, cluster: Slurm
) -> None:
    job = desk.submit("print(1)", queue="closed")
    waiting = desk.look(job.id)
    assert waiting.state == "queued"
    assert waiting.reason is not None
    assert waiting.reason.code == "waits-in-queue"
    assert "closed" in waiting.reason.text
    desk.bench.actions.cancel(job.id)
    done = desk.until(job.id, "cancelled")
    assert done.attempts == 0
    assert cluster.call("squeue", "-h")[1] == ""


def test_a_running_job_that_is_cancelled_leaves_its_partial_notebook(desk: Desk) -> None:
    job = desk.submit("print('so far')", "import time; time.sleep(300)")
    running = desk.until(job.id, "running")
    desk.until_partial(job.id, ["so far\n"])
    assert running.attempts == 1
    desk.bench.actions.cancel(job.id)
    done = desk.until(job.id, "cancelled")
    assert done.reason is not None
    assert "You cancelled this job after" in done.reason.text
    assert texts(done.output) == ["so far\n"]


def test_a_job_over_its_time_is_ended_and_says_so(desk: Desk) -> None:
    job = desk.submit("print('so far')", "import time; time.sleep(300)", time=4)
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "time-limit"
    assert texts(done.output) == ["so far\n"]


def test_many_jobs_are_asked_for_in_one_question(desk: Desk) -> None:
    jobs = [desk.submit(f"print({number})") for number in range(6)]
    for number, job in enumerate(jobs):
        assert texts(desk.until(job.id, "succeeded").output) == [f"{number}\n"]


def test_the_offer_tells_queues_and_what_is_free(desk: Desk) -> None:
    backend = desk.bench.backends["slurm"]
    queues = {queue.name: queue for queue in backend.queues()}
    assert set(queues) == {"normal", "opportunistic", "closed"}
    assert queues["normal"].default
    assert queues["normal"].gpus == 6
    assert queues["normal"].gpu_models == ("t4",)
    assert queues["normal"].free is not None
    assert queues["normal"].free.cpus == 6
    assert queues["opportunistic"].time_limit == 7200
    assert queues["closed"].text
    assert backend.limits().cpus == 2
    assert backend.forecast(Resources()).starts_now
    assert not backend.forecast(Resources(), "closed").starts_now


@pytest.mark.parametrize(
    ("asked", "code", "named"),
    [
        ({"queue": "night"}, "unknown-queue", "opportunistic"),
        ({"charge": "ml"}, "unknown-charge", "no accounts"),
        ({"resources": Resources(gpus=3)}, "asks-too-much", "2 GPUs"),
        ({"queue": "opportunistic", "resources": Resources(time=86000)}, "asks-too-much", "2 h"),
        ({"resources": Resources(memory=5 * GIB)}, "asks-too-much", "memory"),
    ],
)
def test_what_slurm_could_never_run_is_a_problem_of_the_draft(
    desk: Desk, asked: dict[str, object], code: str, named: str
) -> None:
    desk.submit("print(1)", file="other.ipynb")
    request = JobRequest(source=str(desk.work / "other.ipynb"), backend="slurm", **asked)
    draft = desk.bench.submission.draft(request)
    assert [problem.code for problem in draft.problems] == [code]
    assert named in draft.problems[0].text
    with pytest.raises(MlinfnError):
        desk.bench.submission.submit(request)
