"""Held jobs let go, with changes: what is recorded, refused, taken back, and read by the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import amending, releasing
from jupyter_mlinfn.jobs.actions import JobActions
from jupyter_mlinfn.jobs.attempt import AMENDMENTS, AttemptFolder
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import Conflict, NotFound, Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, Reason, RerunRequest
from jupyter_mlinfn.model.releasing import Amendable, Asking, ReleaseRequest
from jupyter_mlinfn.model.sweeps import Sweep
from jupyter_mlinfn.process import locks
from tests.jobs.workplace import Kernels, Listener, code, write_notebook

GIB = 2**30
HELD = Reason(code="held", text="A rule of the site holds it.")


class Releaser(Listener):
    """A back-end that holds jobs and lets them go as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.released: list[str] = []

    def release(self, record: JobRecord) -> None:
        self.released.append(record.id)


class Holder(Releaser):
    """One that can change them too; ``raises`` instead of changing one."""

    def __init__(self) -> None:
        super().__init__()
        self.asks: list[Asking] = []
        self.raises: Exception | None = None
        self.holds = True

    def amend(self, record: JobRecord, now: Asking) -> bool:
        if self.raises is not None:
            raise self.raises
        self.asks.append(now)
        return self.holds

    def held_for(self, record: JobRecord) -> tuple[Amendable | None, int | None]:
        return "memory", 3 * GIB


@pytest.fixture
def holder() -> Holder:
    return Holder()


@pytest.fixture
def at_holder(store: JobStore, folders: JobFolders, holder: Holder) -> Submission:
    return Submission(store, folders, {"local": holder}, Kernels(), user="somebody")


@pytest.fixture
def actions(store: JobStore, folders: JobFolders, holder: Holder) -> JobActions:
    return JobActions(store, folders, {"local": holder})


@pytest.fixture
def job(at_holder: Submission, store: JobStore, work: Path) -> str:
    """A held job of one CPU, 2 GiB and an hour."""
    notebook = write_notebook(work / "a.ipynb", code("1"))
    made = at_holder.submit(JobRequest(source=str(notebook), backend="local"))
    store.observe(made.id, Observation(state="queued", reason=HELD))
    return made.id


def test_what_it_asks_now_is_told_beside_what_it_asked_at_first(
    actions: JobActions, folders: JobFolders, store: JobStore, holder: Holder, job: str
) -> None:
    offer = actions.details(job).release
    assert offer is not None
    assert (offer.cause, offer.used, offer.asks.memory) == ("memory", 3 * GIB, 2 * GIB)
    seen = actions.release(job, ReleaseRequest(memory=4 * GIB, disk=GIB))
    now = Asking(cpus=1, memory=4 * GIB, time=3600, disk=GIB)
    assert (holder.asks, holder.released) == ([now], [job])
    assert (seen.resources.memory, seen.resources.time) == (4 * GIB, 3600)
    assert seen.reason is not None
    assert seen.reason.code == "waits-in-queue"
    told = actions.details(job)
    assert told.release is None
    assert told.spec.resources.memory == 2 * GIB
    assert [(one.why, one.before.memory, one.now) for one in told.amendments] == [
        (HELD, 2 * GIB, now)
    ]
    spec = AttemptFolder(folders.attempt(job, 1)).spec()
    assert (spec["resources"]["memory"], spec["resources"]["cpus"]) == (4 * GIB, 1)
    rebuilt = JobStore(folders.data_dir / "again.sqlite", folders)
    assert rebuilt.get(job).resources == store.get(job).resources
    rebuilt.close()


def test_two_changes_add_up_and_another_run_asks_for_the_last(
    actions: JobActions, at_holder: Submission, store: JobStore, holder: Holder, job: str
) -> None:
    actions.release(job, ReleaseRequest(memory=4 * GIB))
    store.observe(job, Observation(state="queued", reason=HELD))
    actions.release(job, ReleaseRequest(time=7200))
    assert (holder.asks[-1].memory, holder.asks[-1].time) == (4 * GIB, 7200)
    assert len(actions.details(job).amendments) == 2
    again = at_holder.rerun(job, RerunRequest())
    assert (again.resources.memory, again.resources.time) == (4 * GIB, 7200)


def test_released_as_it_is_nothing_is_written(
    actions: JobActions, folders: JobFolders, holder: Holder, job: str
) -> None:
    actions.release(job)
    assert (holder.asks, holder.released) == ([], [job])
    assert not (folders.job(job) / AMENDMENTS).exists()
    with pytest.raises(Conflict, match="not held"):
        actions.release(job)


def test_what_can_never_be_had_is_refused_with_its_field(
    actions: JobActions, folders: JobFolders, holder: Holder, job: str
) -> None:
    with pytest.raises(Refused) as refused:
        actions.release(job, ReleaseRequest(cpus=9, memory=GIB))
    assert [(one.code, one.field) for one in refused.value.problems] == [("asks-too-much", "cpus")]
    assert not (folders.job(job) / AMENDMENTS).exists()
    assert holder.released == []


@pytest.mark.parametrize(
    ("raises", "holds", "kept"),
    [
        (Refused("the owner does not allow it"), True, False),
        (None, False, False),  # somebody else let it go meanwhile
        (Unavailable("silence"), True, True),
    ],
)
def test_what_the_system_did_not_do_is_taken_back_and_silence_is_asked_again(
    actions: JobActions,
    store: JobStore,
    holder: Holder,
    job: str,
    raises: Exception | None,
    holds: bool,
    kept: bool,
) -> None:
    holder.raises, holder.holds = raises, holds
    with pytest.raises((Refused, Conflict, Unavailable)):
        actions.release(job, ReleaseRequest(memory=4 * GIB))
    assert holder.released == []
    assert store.get(job).resources.memory == (4 if kept else 2) * GIB
    assert len(actions.details(job).amendments) == kept
    holder.raises, holder.holds = None, True
    actions.release(job)
    if kept:
        assert holder.asks[-1].memory == 4 * GIB
        assert len(actions.details(job).amendments) == 1
    assert holder.released == [job]


def test_only_one_releases_at_a_time(actions: JobActions, folders: JobFolders, job: str) -> None:
    lock = locks.acquire(folders.job(job) / "release.lock")
    assert lock is not None
    with pytest.raises(Unavailable, match="at this moment"):
        actions.release(job, ReleaseRequest(memory=GIB))


def test_a_damaged_list_of_changes_is_said_and_nothing_is_released(
    actions: JobActions, folders: JobFolders, holder: Holder, job: str
) -> None:
    (folders.job(job) / AMENDMENTS).write_text('[{"now": 1}]')
    with pytest.raises(NotFound, match="damaged"):
        actions.release(job)
    assert holder.released == []
    assert amending.AMENDMENTS == AMENDMENTS


def test_a_sweep_and_a_back_end_that_changes_nothing_are_let_go_as_they_are(
    actions: JobActions,
    at_holder: Submission,
    store: JobStore,
    folders: JobFolders,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
) -> None:
    notebook = write_notebook(work / "s.ipynb", code("x = 1", "parameters"))
    sweep = at_holder.submit(
        JobRequest(source=str(notebook), backend="local", sweep=Sweep(axes={"x": (1, 2)}))
    )
    held = store.get(sweep.id).model_copy(update={"reason": HELD})
    with monkeypatch.context() as changed:
        changed.setattr(store, "get", lambda _job: held)
        with pytest.raises(Conflict, match="points all ask alike"):
            actions.release(sweep.id, ReleaseRequest(memory=GIB))
    actions = JobActions(store, folders, {"local": Releaser()})
    with pytest.raises(Conflict, match="cannot be changed"):
        actions.release(job, ReleaseRequest(memory=GIB))
    offer = actions.details(job).release
    assert offer is not None
    assert offer.amends == ()
    assert actions.release(job).id == job
    assert not releasing.is_held(store.get(job))
