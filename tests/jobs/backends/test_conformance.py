"""What every back-end does alike, on the real thing: from the form's request to the published
notebook. What only one of them has is in a file of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.protocol import Backend, Observation
from jupyter_mlinfn.model.errors import InputError, MlinfnError
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, Resources
from tests.jobs.backends.desk import texts
from tests.jobs.backends.hosts import Host, clicks
from tests.jobs.backends.places import PLACES, Place
from tests.jobs.workplace import code, write_notebook

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(400)]

SLEEPS = "import time; time.sleep(300)"


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    """A desk at each of the systems, with nothing else waiting there."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


def test_a_notebook_runs_with_its_parameters_and_publishes_its_outputs(place: Place) -> None:
    desk = place.desk
    job = desk.submit(
        "print(lr * 2)",
        "open('weights.txt', 'w').write(str(lr))",
        "import os; print(os.environ['MLINFN_JOB'])",
        cell="lr = 0.1",
        parameters={"lr": 0.5},
        outputs=("weights.txt",),
    )
    assert job.backend_id
    done = desk.until(job.id, "succeeded")
    assert texts(done.output) == ["1.0\n", f"{job.id}\n"]
    assert (desk.work / "results" / f"study-{job.id}" / "weights.txt").read_text() == "0.5"
    assert (done.attempts, done.backend_id) == (1, job.backend_id)
    assert done.started_at is not None
    assert done.ended_at is not None
    assert done.started_at < done.ended_at


def test_a_job_gets_the_accelerator_it_asked_for_and_others_none(place: Place) -> None:
    if not place.gpus:
        pytest.skip("no accelerators there")
    look = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'] or 'none')"
    one = place.desk.submit(look, gpus=1, file="one.py")
    none = place.desk.submit(look, file="none.py")
    assert texts(place.desk.until(one.id, "succeeded").output)[0].strip() in place.gpus
    assert texts(place.desk.until(none.id, "succeeded").output) == ["none\n"]
    first, *_ = place.desk.bench.store.attempts(one.id)
    assert len(first.accelerators) == 1


def test_a_failing_cell_ends_the_job_with_its_error(place: Place) -> None:
    job = place.desk.submit("print('before')", "1 / 0")
    done = place.desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "notebook-error"
    assert "ZeroDivisionError" in done.reason.text
    assert texts(done.output) == ["before\n"]


def test_a_waiting_job_says_why_and_leaves_the_system_when_it_is_cancelled(place: Place) -> None:
    desk = place.desk
    job = place.wait(desk)
    until = time.monotonic() + 15
    while (waiting := desk.look(job.id)).reason is None and time.monotonic() < until:
        time.sleep(0.2)
    assert waiting.state == "queued"
    assert waiting.reason is not None
    assert waiting.reason.code == place.waits_for
    assert place.known(job.id) == 1
    desk.bench.actions.cancel(job.id)
    done = desk.until(job.id, "cancelled")
    assert done.attempts == 0
    assert place.known(job.id) == 0


def test_a_running_job_can_be_read_and_leaves_its_partial_notebook_when_it_is_cancelled(
    place: Place,
) -> None:
    desk = place.desk
    job = desk.submit("print('so far')", SLEEPS)
    running = desk.until(job.id, "running")
    desk.until_partial(job.id, ["so far\n"])
    assert running.attempts == 1
    log = desk.bench.follower.read_log(job.id, 0)
    assert "so far" in log.text
    assert not log.ended
    cells = json.loads(desk.bench.follower.notebook(job.id).read_text())["cells"]
    assert [bool(cell["outputs"]) for cell in cells] == [True, False]
    desk.bench.actions.cancel(job.id)
    done = desk.until(job.id, "cancelled")
    assert done.reason is not None
    assert "You cancelled this job after" in done.reason.text
    assert texts(done.output) == ["so far\n"]


def test_a_job_over_its_time_is_ended_and_says_so(place: Place) -> None:
    job = place.desk.submit("print('so far')", SLEEPS, time=4, file="study.py")
    done = place.desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "time-limit"
    assert texts(done.output) == ["so far\n"]


def test_a_job_over_its_memory_is_ended_and_says_so(place: Place) -> None:
    hungry = "print('so far')", "import time; held = b'x' * (1200 * 2**20); time.sleep(60)"
    job = place.desk.submit(*hungry, memory=400 * 2**20)
    done = place.desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "out-of-memory"
    assert texts(done.output) == ["so far\n"]


def test_many_jobs_are_asked_for_in_one_question(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = place.desk
    kind, asked = type(desk.bench.backends[desk.backend]), []
    query = kind.query

    def count(self: Backend, records: Sequence[JobRecord]) -> Mapping[str, Observation]:
        asked.append({record.id for record in records})
        return query(self, records)

    monkeypatch.setattr(kind, "query", count)
    jobs = [desk.submit(desk.held(), f"print({n})", file=f"{n}.py") for n in range(3)]
    desk.look(jobs[0].id)
    assert asked == [{job.id for job in jobs}]
    desk.go()
    for number, job in enumerate(jobs):
        assert texts(desk.until(job.id, "succeeded").output) == [f"{number}\n"]


def test_a_job_handed_over_twice_is_one_job(place: Place) -> None:
    """By the same process, by another one, and with the same key from the form."""
    desk = place.desk
    job = desk.submit("print('once')", key="a-click", file="study.py")
    spec = desk.bench.folders.read_spec(job.id)
    backend = desk.bench.backends[job.backend]
    assert backend.submit(spec) == job.backend_id
    assert desk.another().backends[job.backend].submit(spec) == job.backend_id
    assert desk.submit("print('once')", key="a-click", file="study.py").id == job.id
    done = desk.until(job.id, "succeeded")
    assert done.attempts == 1
    assert texts(done.output) == ["once\n"]


def test_what_can_never_run_is_a_problem_of_the_draft(place: Place) -> None:
    desk = place.desk
    request = JobRequest(
        source=str(write_notebook(desk.work / "other.ipynb", code("print(1)"))),
        backend=desk.backend,
        resources=Resources(cpus=4096, memory=2**45),
    )
    draft = desk.bench.submission.draft(request)
    assert {problem.code for problem in draft.problems} == {"asks-too-much"}
    with pytest.raises(MlinfnError):
        desk.bench.submission.submit(request)


@pytest.mark.parametrize("system", ["slurm", "htcondor", "kubernetes"])
def test_equal_clicks_from_several_processes_and_two_hosts_are_one_job(
    system: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A hundred of them; and what one host began, the other follows and ends."""
    place: Place = request.getfixturevalue(f"{system}_place")
    desk = place.desk
    waits = place.wait(desk)
    asked = desk.bench.folders.read_request(waits.id)
    here, there = Host(), Host(tmp_path / "disk")
    try:
        told = {"request": asked.model_dump(mode="json"), "key": "a-click", "times": 30}
        here.ask("click", **told)
        there.ask("click", **told)
        ids = clicks(desk.bench, asked, "a-click", 40) + here.told() + there.told()
        assert len(ids) == 100
        (job,) = set(ids)
        until = time.monotonic() + 150
        while place.known(job) == 0:
            assert time.monotonic() < until
            desk.look(job)
        assert place.known(job) == 1
        assert there.does("look", job=job)["state"] == "queued"
        there.does("cancel", job=job)
        assert desk.until(job, "cancelled", within=150).attempts == 0
        while there.does("look", job=job)["state"] != "cancelled":
            assert time.monotonic() < until
            time.sleep(0.2)
        assert place.known(job) == 0
    finally:
        here.end()
        there.end()


HOSTILE = ("--wrap=id", "x\n+Owner = root", "a b", "$(id)", "`id`", "x; rm", "\x00", "１", "")


@pytest.mark.parametrize("backend", PLACES)
@pytest.mark.parametrize("field", ["queue", "charge"])
def test_no_name_with_a_meaning_comes_as_far_as_the_system(backend: str, field: str) -> None:
    for hostile in HOSTILE:
        with pytest.raises((ValueError, InputError)):
            JobRequest(source="x.ipynb", backend=backend, **{field: hostile})


def test_the_words_of_a_job_are_words_only(place: Place) -> None:
    """Its name, its parameters and its folder's name reach no option, line or ad."""
    desk = place.desk
    told = 'a\n#SBATCH --uid=0\nqueue 1000\n+Owner = "root" $(id) `id`'
    job = desk.submit(
        "print(word)",
        cell="word = ''",
        parameters={"word": told},
        name='x $(ClusterId) `id` "; +Owner = root',
        file='it\'s $(HOME) "quoted" %j.ipynb',
    )
    done = desk.until(job.id, "succeeded")
    assert texts(done.output) == [told + "\n"]
    until = time.monotonic() + 15  # the system hears a moment later that our program is over
    while place.known(job.id):
        assert time.monotonic() < until
        time.sleep(0.2)
