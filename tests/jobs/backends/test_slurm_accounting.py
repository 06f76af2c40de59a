"""A real slurmdbd: who may charge whom, and what became of jobs that only the accounting knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.slurm.backend import SlurmBackend
from jupyter_mlinfn.model.jobs import ENDED, Draft, JobRecord, JobRequest
from tests.jobs.backends.conftest import running
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.sweeps.looking import arrays, points
from tests.jobs.sweeps.looking import submit as submit_sweep
from tests.jobs.workplace import code, write_notebook
from tests.systems import slurmdbd
from tests.systems.slurmdbd import AccountedSlurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

SHORT = {"absent": 1.0, "not-again": 1.0, "no-word": 1.0}
LONG = "import time; time.sleep(600)"
CAN = "You can: ml, root, theory."


@pytest.fixture(scope="module")
def accounted() -> Iterator[AccountedSlurm]:
    """A running Slurm with its accounting."""
    yield from running(slurmdbd.start, "slurmdbd")


@pytest.fixture
def desk(
    accounted: AccountedSlurm, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk that sends its jobs there."""
    for name, value in accounted.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SlurmBackend, "patience", SHORT)
    made = Desk(own_folders, "slurm", "c.Mlinfn.slurm_poll_seconds = 0.5\n")
    yield made
    made.close()
    accounted.clear()


def drafted(desk: Desk, **asked: object) -> Draft:
    notebook = write_notebook(desk.work / "other.ipynb", code("print(1)"))
    request = JobRequest(source=str(notebook), backend="slurm", **asked)  # type: ignore[arg-type]
    return desk.bench.submission.draft(request)


def code_of(record: JobRecord) -> str | None:
    return record.reason and record.reason.code


def test_who_may_be_charged_is_told_and_the_job_is_charged_so(
    desk: Desk, accounted: AccountedSlurm
) -> None:
    assert drafted(desk, charge="theory").ok
    refused = drafted(desk, charge="nobody")
    assert [one.code for one in refused.problems] == ["unknown-charge"]
    assert CAN in refused.problems[0].text
    job = desk.submit("print(1)", queue="closed", charge="theory")
    number = str(job.backend_id)
    assert accounted.call("squeue", "-h", "-j", number, "-o", "%a")[1].strip() == "theory"


def test_a_quality_of_service_that_slurm_refuses_is_told_before_and_after_the_submit(
    accounted: AccountedSlurm, desk: Desk
) -> None:
    other = Desk(desk.root / "other", "slurm", "c.Mlinfn.slurm_options = {'qos': 'none'}\n")
    try:
        draft = drafted(other)
        assert draft.forecast is None or not draft.forecast.starts_now
        told = " ".join(one.text for one in (*draft.problems, *draft.places))
        assert "Invalid qos specification" in told
        job = other.submit("print(1)")
        assert (job.state, code_of(job)) == ("failed", "refused-by-system")
        assert accounted.call("squeue", "-h")[1] == ""
    finally:
        other.close()


def test_jobs_that_slurm_has_forgotten_are_told_from_the_accounting_and_only_from_it(
    desk: Desk, accounted: AccountedSlurm
) -> None:
    story = Story(desk, accounted)
    story.act()
    accounted.kill_accounting()
    accounted.forget_all()
    story.assert_unknown()
    accounted.start_accounting()
    story.assert_told()


class Story:
    """Jobs that end in every way while nobody looks."""

    def __init__(self, desk: Desk, cluster: AccountedSlurm) -> None:
        self.desk, self.cluster = desk, cluster
        self.done = desk.submit("print('whole')", file="done.py").id
        self.killed = desk.submit("print('begun')", LONG, file="killed.py").id
        self.withdrawn = desk.submit("print(1)", file="withdrawn.ipynb", queue="closed").id
        self.waiting = desk.submit("print(1)", file="waiting.ipynb", queue="closed").id
        self.sweep = submit_sweep(desk, "print(k)", raw_axes={"k": "0..3"}, queue="closed").id
        self.dropped = submit_sweep(desk, "print(k)", raw_axes={"k": "0..2"}, queue="closed").id

    def act(self) -> None:
        """End them, and wait until the accounting knows."""
        self.desk.until(self.killed, "running")
        self.desk.until_partial(self.killed, ["begun\n"])
        self.until_accounted(self.sweep, "PENDING")
        self.withdraw_a_point()
        self.call("scancel", self.number(self.withdrawn), self.number(self.dropped))
        self.call("scancel", "--batch", "--signal=KILL", self.number(self.killed))
        ends = {
            self.done: "COMPLETED",
            self.killed: "FAILED",
            self.withdrawn: "CANCELLED by 0",
            self.waiting: "PENDING",
            self.dropped: "CANCELLED by 0",
        }
        for job, state in ends.items():
            self.until_accounted(job, state)

    def withdraw_a_point(self) -> None:
        """Somebody takes one point out of the queue: Slurm keeps no record of it at all."""
        self.call("scancel", f"{self.number(self.sweep)}_1")
        assert len(self.listed(self.sweep)) == 3
        self.desk.until_seen(self.sweep, lambda: self.states(self.sweep)[1] != "queued")
        assert self.states(self.sweep) == ["queued", "cancelled", "queued", "queued"]

    def assert_unknown(self) -> None:
        """Nobody can say how they ended, or whether they wait; what a folder tells is told."""
        assert texts(self.desk.until(self.done, "succeeded").output) == ["whole\n"]
        silent = (self.killed, self.withdrawn, self.waiting, self.sweep, self.dropped)
        for job in silent:
            self.until_unknown(job)
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            for job in silent:
                seen = self.desk.look(job)
                assert seen.state not in ENDED
                assert seen.unknown_since is not None
            time.sleep(0.1)
        assert self.call("squeue", "-h", "-o", "%j") == ""

    def assert_told(self) -> None:
        """What the accounting says; what never ended by its word is handed over once more."""
        cancelled = self.desk.until(self.withdrawn, "cancelled")
        assert "cancelled in Slurm" in str(cancelled.reason)
        assert code_of(self.desk.until(self.killed, "failed")) == "runner-died"
        self.desk.until(self.dropped, "cancelled")
        assert self.desk.partial(self.killed) == ["begun\n"]
        self.desk.until_seen(self.waiting, lambda: len(self.listed(self.waiting)) == 1)
        self.desk.until_seen(self.sweep, lambda: len(self.listed(self.sweep)) == 3)
        assert self.desk.look(self.waiting).state == "queued"
        assert self.states(self.sweep) == ["queued", "cancelled", "queued", "queued"]
        assert [one.points for one in arrays(self.desk, self.sweep).arrays] == ["0-3", "0,2-3"]

    def until_accounted(self, job: str, state: str) -> None:
        """Wait until the accounting has it so."""
        until, number = time.monotonic() + 60, self.number(job)
        while (told := self.cluster.accounted(number)) != state:
            assert time.monotonic() < until, (told, self.desk.story(job))
            time.sleep(0.1)

    def until_unknown(self, job: str) -> None:
        """Look until it is said that nobody knows."""
        self.desk.until_seen(job, lambda: self.desk.bench.store.get(job).unknown_since is not None)

    def states(self, sweep: str) -> list[str]:
        """Of its points."""
        return [point.state for point in points(self.desk, sweep)]

    def number(self, job: str) -> str:
        """Slurm's number of it."""
        return str(self.desk.bench.store.get(job).backend_id)

    def listed(self, job: str) -> list[str]:
        """The elements under this name that slurmctld knows."""
        told = self.call("squeue", "-h", "-r", "-o", "%i", f"--name=mlinfn-{job}")
        return told.split()

    def call(self, *words: str) -> str:
        """What one of Slurm's programs answers."""
        code, said = self.cluster.call(*words)
        assert code == 0, said
        return said
