"""What only HTCondor has, on the real one: holds, places taken back, groups, devices by model."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.htcondor import describing
from jupyter_mlinfn.jobs.backends.htcondor.calls import Calls
from jupyter_mlinfn.model.errors import Conflict
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, Resources
from tests.jobs.backends.desk import COUNTS_STARTS, Desk, texts
from tests.jobs.backends.test_condor_texts import HOSTILE_FOLDERS
from tests.jobs.workplace import code, write_notebook
from tests.systems.condor import Condor

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(400)]

GIB = 2**30


def attribute(pool: Condor, job: JobRecord, name: str) -> str:
    """What HTCondor itself says of the job."""
    return pool.call("condor_q", "-all", str(job.backend_id), "-af", name)[1].strip()


def test_the_offer_tells_what_there_is_and_what_is_free(condor_desk: Desk) -> None:
    backend = condor_desk.bench.backends["htcondor"]
    assert backend.missing() == ""
    (queue,) = backend.queues()
    assert (queue.name, queue.default, queue.cpus, queue.gpus) == ("pool", True, 6, 2)
    assert queue.gpu_models == ("NVIDIA A100", "Tesla T4")
    assert queue.free is not None
    assert queue.free.cpus == 6
    assert backend.limits().cpus == 6
    assert backend.forecast(Resources()).starts_now
    assert not backend.forecast(Resources(cpus=7)).starts_now


@pytest.mark.parametrize(
    ("asked", "told", "named"),
    [
        ({"queue": "night"}, "unknown-queue", "no queues"),
        ({"resources": Resources(gpus=3)}, "asks-too-much", "2 GPUs"),
        ({"resources": Resources(memory=9 * GIB)}, "asks-too-much", "memory"),
        ({"resources": Resources(gpus=1, gpu_model="H100")}, "unknown-gpu-model", "T4"),
    ],
)
def test_what_htcondor_could_never_run_is_a_problem_of_the_draft(
    condor_desk: Desk, asked: dict[str, object], told: str, named: str
) -> None:
    source = str(write_notebook(condor_desk.work / "other.ipynb", code("print(1)")))
    request = JobRequest(source=source, backend="htcondor", **asked)
    draft = condor_desk.bench.submission.draft(request)
    assert [problem.code for problem in draft.problems] == [told]
    assert named in draft.problems[0].text


def test_a_job_gets_the_model_it_asked_for_and_its_group_pays(
    condor_desk: Desk, pool: Condor
) -> None:
    backend = condor_desk.bench.backends["htcondor"]
    job = condor_desk.submit("print(1)", file="plain.py")
    spec = condor_desk.bench.folders.read_spec(job.id)
    condor_desk.until(job.id, "succeeded")
    look = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    asked = {"gpus": 1, "gpu_memory": 30 * GIB, "charge": "ml.infn", "file": "large.py"}
    large = condor_desk.submit(look, **asked)
    assert attribute(pool, large, "AcctGroup") == "ml.infn"
    done = condor_desk.until(large.id, "succeeded")
    assert texts(done.output) == ["GPU-bbbbbbbb\n"]
    assert backend.submit(spec) == job.backend_id


def test_a_held_job_says_why_and_goes_on_when_it_is_released(
    condor_desk: Desk, pool: Condor
) -> None:
    pool.call("condor_off", "-startd")
    job = condor_desk.submit("print('released')", file="study.py")
    pool.call("condor_hold", str(job.backend_id))
    pool.machine_on()
    seen = condor_desk.until_held(job.id)
    assert seen.state == "queued"
    assert seen.reason is not None
    assert f"condor_release {job.backend_id}" in seen.reason.text
    assert "via condor_hold" in seen.reason.text
    assert condor_desk.bench.actions.release(job.id).state == "queued"
    done = condor_desk.until(job.id, "succeeded")
    assert texts(done.output) == ["released\n"]
    with pytest.raises(Conflict):
        condor_desk.bench.actions.release(job.id)


def test_a_program_that_cannot_be_started_is_held_in_words_and_can_be_cancelled(
    condor_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = ("/nowhere/python", "-m", "x")
    monkeypatch.setattr(describing, "own_program", lambda *_: elsewhere)
    job = condor_desk.submit("print(1)")
    seen = condor_desk.until_held(job.id)
    assert seen.reason is not None
    assert "could not start this job's program" in seen.reason.text
    condor_desk.bench.actions.cancel(job.id)
    condor_desk.until(job.id, "cancelled")
    assert condor_desk.bench.folders.attempts(job.id) == []


def test_htcondor_s_own_time_limit_is_a_time_limit_and_nothing_is_left_held(
    condor_desk: Desk, pool: Condor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 25 seconds: on a busy machine it takes many until the code runs
    monkeypatch.setattr(describing, "_SLACK", -275)
    job = condor_desk.submit("print('so far')", "import time; time.sleep(300)", file="study.py")
    done = condor_desk.until(job.id, "failed", within=120)
    assert done.reason is not None
    assert done.reason.code in ("time-limit", "preempted")
    assert texts(done.output) == ["so far\n"]
    monkeypatch.setattr(describing, "_SLACK", 90)
    condor_desk.submit("import time; time.sleep(60)", file="other.py")  # somebody still looks
    until = time.monotonic() + 30
    while attribute(pool, job, "JobStatus") not in ("", "3") and time.monotonic() < until:
        condor_desk.bench.reconciler.run_once()
        time.sleep(0.3)
    assert attribute(pool, job, "JobStatus") in ("", "3")


def test_an_evictable_job_is_evicted_and_its_second_attempt_succeeds(
    condor_desk: Desk, pool: Condor
) -> None:
    desk = condor_desk
    job = desk.submit(*COUNTS_STARTS, evictable=True)
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    code, said = pool.call("condor_vacate_job", str(job.backend_id))
    assert code == 0, said
    desk.until_evicted_and_done(job.id)


@pytest.mark.parametrize("how", ["condor_vacate_job", "condor_vacate_job -fast"])
def test_a_job_that_may_not_be_evicted_runs_once_and_says_why_it_failed(
    condor_desk: Desk, pool: Condor, how: str
) -> None:
    desk = condor_desk
    job = desk.submit(*COUNTS_STARTS, file="study.py")
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    pool.call(*how.split(), str(job.backend_id))
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "preempted"
    assert (desk.work / "count.txt").read_text() == "x"
    assert done.attempts == 1


def test_a_folder_of_any_name_reaches_htcondor_as_it_is(
    condor_desk: Desk, pool: Condor, tmp_path: Path
) -> None:
    """The submit language is not asked what it would make of it, but what it made."""
    job = condor_desk.submit("print(1)", file="plain.py")
    spec = condor_desk.bench.folders.read_spec(job.id)
    condor_desk.until(job.id, "succeeded")
    calls = Calls({})
    for folder in HOSTILE_FOLDERS[:4]:
        place = tmp_path / folder.lstrip("/")
        place.mkdir(parents=True)
        given = describing.description(spec, place, {}, {"HOME": str(place), "LANG": "C"})
        number = calls.submit(given | {"hold": "true", "My.MLInfnJobId": '"aaaaaaaaaa"'})
        ask = ("condor_q", "-all", number, "-af:r", "Iwd", "Out", "Environment", "Owner")
        told = pool.call(*ask)[1].replace('\\"', '"').replace("\\\\", "\\")
        assert told.startswith(f'"{place}" "{place}/htcondor.log" '), told
        assert told.rstrip().endswith('"person"')
