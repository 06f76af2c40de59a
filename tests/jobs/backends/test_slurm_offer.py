"""What a real Slurm says to a draft: when it starts, what GPU it gets, where it starts first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import Draft, JobRequest, RerunRequest, Resources
from tests.jobs.backends.desk import Desk
from tests.systems.slurm import NODES, Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

GIB = 2**30
SMALL = {"memory": GIB // 2, "time": 300}


def request(desk: Desk, backend: str = "auto", **asked: object) -> JobRequest:
    names = ("cpus", "memory", "gpus", "time", "gpu_memory", "gpu_model")
    wanted = SMALL | {name: asked.pop(name) for name in names if name in asked}
    script = desk.work / "study.py"
    script.write_text("print(1)\n")
    return JobRequest(
        source=str(script),
        backend=backend,
        resources=Resources.model_validate(wanted),
        **asked,  # type: ignore[arg-type]
    )


def drafted(desk: Desk, backend: str = "auto", **asked: object) -> Draft:
    return desk.bench.submission.draft(request(desk, backend, **asked))


def said(draft: Draft, backend: str) -> str:
    return next(one.text for one in draft.places if one.backend == backend)


def fill(cluster: Slurm, minutes: int = 30) -> None:
    """Take all CPUs of all nodes."""
    for _ in range(NODES):
        options = ("-c", "2", "-t", str(minutes), "-o", "/dev/null", "--wrap", "sleep 600")
        assert cluster.call("sbatch", *options)[0] == 0
    until = time.monotonic() + 30
    while cluster.call("squeue", "-h", "-t", "RUNNING")[1].count("\n") < NODES:
        assert time.monotonic() < until, cluster.call("squeue")[1]
        time.sleep(0.1)
    time.sleep(0.1)


def test_slurm_tells_that_it_starts_now(desk: Desk) -> None:
    draft = drafted(desk, "slurm")
    assert draft.ok, draft.problems
    assert draft.forecast is not None
    assert draft.forecast.starts_now
    assert draft.forecast.expected_start is not None
    assert draft.forecast.position == 0
    assert [one.backend for one in draft.places if not one.silent] == ["local", "slurm"]


def test_a_full_slurm_tells_when_it_would_start_and_after_how_many(
    desk: Desk, cluster: Slurm
) -> None:
    fill(cluster)
    assert cluster.call("sbatch", "-c", "2", "-t", "5", "--wrap", "true")[0] == 0
    desk = Desk(desk.root / "another", "slurm")  # what is free is remembered for seconds
    forecast = drafted(desk, "slurm", cpus=2).forecast
    assert forecast is not None
    assert not forecast.starts_now
    assert forecast.position == 1
    assert forecast.expected_start is not None
    wait = forecast.expected_start.timestamp() - time.time()
    assert 20 * 60 < wait < 70 * 60
    assert "Slurm expects to start it about" in forecast.text
    assert "1 job waits there now" in forecast.text
    desk.close()


def test_memory_of_a_gpu_becomes_the_type_that_has_it(desk: Desk, cluster: Slurm) -> None:
    job = desk.bench.submission.submit(request(desk, "slurm", gpu_memory=10 * GIB))
    assert job.resources.gpus == 1
    assert "gpu:t4:1" in cluster.call("squeue", "-h", "-o", "%b")[1]
    desk.until(job.id, "succeeded")
    for asked, named in (
        ({"gpu_memory": 20 * GIB}, "the largest is t4 with 16.0 GiB"),
        ({"gpu_model": "A100"}, "There are: t4 (16.0 GiB)"),
        ({"gpu_memory": 10 * GIB, "gpus": 3}, "2 GPUs, not 3"),
    ):
        draft = drafted(desk, "slurm", **asked)
        assert not draft.ok
        assert named in draft.problems[0].text
        with pytest.raises(MlinfnError):
            desk.bench.submission.submit(request(desk, "slurm", **asked))


def test_a_job_goes_where_it_starts_first_and_a_rerun_stays_there(
    desk: Desk, cluster: Slurm
) -> None:
    here = desk.bench.submission.submit(request(desk))
    assert here.backend == "local"
    desk.until(here.id, "succeeded")
    # this machine has two CPUs for jobs: both are taken for an hour
    busy = request(desk, "local", cpus=2, time=3600)
    Path(busy.source).write_text("import time; time.sleep(600)\n")
    held = desk.bench.submission.submit(busy)
    desk.until(held.id, "running")
    draft = drafted(desk)
    assert draft.backend == "slurm"
    assert draft.why is not None
    assert draft.why.startswith("Goes to Slurm: starts now. This machine: Would wait")
    assert "at the latest" in said(draft, "local")
    moved = desk.bench.submission.submit(request(desk))
    assert moved.backend == "slurm"
    assert desk.bench.folders.read_spec(moved.id).backend == "slurm"
    assert desk.bench.folders.read_request(moved.id).backend == "auto"
    desk.until(moved.id, "succeeded")
    desk.bench.actions.cancel(held.id)
    desk.until(held.id, "cancelled")
    again = desk.bench.submission.rerun(moved.id, RerunRequest())
    assert again.backend == "slurm"
    anew = desk.bench.submission.rerun(moved.id, RerunRequest(backend="auto"))
    assert anew.backend == "local"
    desk.until(again.id, "succeeded")
    desk.until(anew.id, "succeeded")


def test_only_a_place_that_has_all_is_chosen(desk: Desk) -> None:
    assert drafted(desk, gpus=2).backend == "slurm"
    assert drafted(desk, queue="opportunistic").backend == "slurm"
    draft = drafted(desk, queue="opportunistic", time=86000)
    assert not draft.ok
    told = " ".join(one.text for one in draft.problems)
    assert "This machine: This machine has no queues." in told
    assert "Slurm: A job in the queue opportunistic of Slurm may have 2 h" in told


def test_a_silent_slurm_is_said_and_not_chosen(desk: Desk, cluster: Slurm) -> None:
    cluster.kill_controller()
    try:
        draft = drafted(desk)
        assert draft.backend == "local"
        silent = next(one for one in draft.places if one.backend == "slurm")
        assert silent.silent
        draft = drafted(desk, gpus=1)
        assert not draft.ok
        assert draft.problems[-1].code == "place-silent"
        assert "--backend slurm" in draft.problems[-1].text
    finally:
        cluster.start_controller()
        cluster.until_answers()
