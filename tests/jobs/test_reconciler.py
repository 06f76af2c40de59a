"""The index says what is true after whatever was killed: handing over, silence, lost files."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs import reconciler as module
from jupyter_mlinfn.jobs.accepting import hand_over
from jupyter_mlinfn.jobs.backends.protocol import Capacity, Observation
from jupyter_mlinfn.jobs.cancelling import BY_USER
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.reconciler import GARBAGE_SECONDS, Reconciler
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, JobSpec
from tests.jobs.workplace import Listener, code, write_notebook

ROOM = Capacity(cpus=8, memory=2**40)


@pytest.fixture
def reconciler(store: JobStore, folders: JobFolders, backend: Listener) -> Reconciler:
    return Reconciler(store, folders, {"local": backend})


@pytest.fixture
def submit(submission: Submission, work: Path) -> Callable[[], JobRecord]:
    path = write_notebook(work / "n.ipynb", code("print(1)"))
    return lambda: submission.submit(JobRequest(source=str(path)))


def claim(store: JobStore, folders: JobFolders, job: str, **files: Any) -> None:
    """Start an attempt as the dispatcher does, with these JSON files in its folder."""
    given = store.claim("here", ROOM, ())
    assert given is not None
    assert given.job == job
    folder = folders.attempt(job, given.attempt)
    folder.mkdir(parents=True)
    slot = {"cpus": given.cpus, "memory": given.memory, "slots": "here", "machine": {}}
    for name, content in {"claim": slot, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def test_one_query_for_all_and_nothing_when_there_is_nothing(
    reconciler: Reconciler, backend: Listener, store: JobStore, submit: Callable[[], JobRecord]
) -> None:
    assert reconciler.run_once() == 0
    assert backend.queries == 0
    jobs = [submit() for _ in range(5)]
    for job in jobs[:3]:
        backend.answers[job.id] = Observation(state="running", attempt=1)
    for job in jobs[3:]:
        backend.answers[job.id] = Observation(state="queued")
    assert reconciler.run_once() == 3
    assert reconciler.run_once() == 0
    assert (backend.queries, backend.healed) == (2, 2)
    assert {store.get(job.id).state for job in jobs[:3]} == {"running"}


def test_what_ends_while_it_is_handed_over_is_taken_out_of_the_system(
    store: JobStore, folders: JobFolders, backend: Listener, submit: Callable[[], JobRecord]
) -> None:
    """Somebody cancels a job in another process in the moment in which its system answers again."""
    backend.silent = True
    job = submit()

    class Answers(Listener):
        def submit(self, spec: JobSpec) -> str:
            assert store.cancel_if_waiting(spec.id, BY_USER)
            return super().submit(spec)

    system = Answers()
    assert hand_over(store, system, folders.read_spec(job.id)).state == "cancelled"
    assert system.cancelled == [job.id]


def test_silence_is_shown_never_a_failure(
    reconciler: Reconciler,
    backend: Listener,
    store: JobStore,
    submit: Callable[[], JobRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit()
    backend.answers[job.id] = Observation(state="running", attempt=1)
    reconciler.run_once()
    backend.silent = True
    before = datetime.now(UTC)
    reconciler.run_once()
    record = store.get(job.id)
    assert record.state == "running"
    assert record.unknown_since is not None
    assert record.unknown_since >= before
    queries = backend.queries
    reconciler.run_once()
    assert backend.queries == queries  # it backs off
    backend.silent = False
    later = time.monotonic() + 1000
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    reconciler.run_once()
    assert store.get(job.id).unknown_since is None


def test_a_job_left_out_of_the_answer_is_unknown(
    reconciler: Reconciler, store: JobStore, submit: Callable[[], JobRecord]
) -> None:
    job = submit()
    reconciler.run_once()
    assert store.get(job.id).state == "queued"
    assert store.get(job.id).unknown_since is not None


class Explosive(Listener):
    """A back-end whose author forgot something."""

    def query(self, records: object) -> Any:
        raise KeyError("oops")

    def heal(self) -> None:
        raise KeyError("oops")


def test_one_broken_back_end_does_not_hide_the_others(
    store: JobStore, folders: JobFolders, backend: Listener, submit: Callable[[], JobRecord]
) -> None:
    job = submit()
    backend.answers[job.id] = Observation(state="running", attempt=1)
    both = Reconciler(store, folders, {"broken": Explosive(), "local": backend})
    store.insert(
        folders.read_spec(job.id).model_copy(
            update={"id": "zzzzzzzzzz", "token": "z", "backend": "broken"}
        ),
        JobRequest(source="/x"),
    )
    assert both.run_once() == 1
    assert store.get(job.id).state == "running"
    assert store.get("zzzzzzzzzz").state == "queued"


def test_a_job_that_was_not_handed_over_is(
    reconciler: Reconciler,
    backend: Listener,
    store: JobStore,
    submit: Callable[[], JobRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend.silent = True
    job = submit()
    backend.silent = False
    reconciler.run_once()
    assert store.get(job.id).backend_id is None  # its submitter may still be at it
    monkeypatch.setattr(module, "_SUBMIT_TAKES", timedelta(0))
    reconciler.run_once()
    assert store.get(job.id).backend_id == job.id
    assert len(backend.submitted) == 1


def test_a_cancel_that_was_interrupted_goes_on(
    reconciler: Reconciler, backend: Listener, store: JobStore, submit: Callable[[], JobRecord]
) -> None:
    job = submit()
    backend.answers[job.id] = Observation(state="running", attempt=1)
    reconciler.run_once()
    store.mark_cancelling(job.id)  # killed here
    reconciler.run_once()
    assert backend.cancelled == [job.id]
    assert store.get(job.id).cancelling


def test_left_overs_are_removed_when_they_are_old(
    reconciler: Reconciler, folders: JobFolders, store: JobStore, submit: Callable[[], JobRecord]
) -> None:
    kept = submit()
    (folders.job(kept.id) / "committed").unlink()  # killed between commit and marker
    for name in ("aaaaaaaaaa", "bbbbbbbbbb"):
        shutil.copytree(folders.job(kept.id), folders.job(name))
        shutil.copytree(folders.job(kept.id), folders.staging / name)
    old = time.time() - GARBAGE_SECONDS - 10
    for folder in (
        folders.job("aaaaaaaaaa"),
        folders.staging / "aaaaaaaaaa",
        folders.job(kept.id),
    ):
        os.utime(folder, (old, old))
    reconciler.run_once()
    assert sorted(folders.all()) == sorted([kept.id, "bbbbbbbbbb"])
    assert [path.name for path in folders.staging.iterdir()] == ["bbbbbbbbbb"]
    assert folders.committed(kept.id)
    assert store.counts().total == 1


def lose(store: JobStore) -> None:
    """The index is gone, as after a disk was exchanged."""
    store.close()
    for path in store.database.path.parent.glob("jobs.sqlite*"):
        path.unlink()


def test_a_lost_index_is_rebuilt_from_the_folders(
    store: JobStore, folders: JobFolders, submit: Callable[[], JobRecord]
) -> None:
    ended, running, back, waits = (submit() for _ in range(4))
    end = {
        "state": "failed",
        "reason": {"code": "notebook-error", "text": "ZeroDivisionError"},
        "started_at": "2026-01-01T10:00:00+00:00",
        "ended_at": "2026-01-01T11:00:00+00:00",
        "exit_code": 1,
        "usage": {"peak_memory": 7},
        "output": "/out.ipynb",
    }
    claim(store, folders, ended.id, end=end)
    claim(store, folders, running.id)
    claim(store, folders, back.id, returned={})
    folders.request_cancel(running.id)
    claims = [c for c in store.claims("here") if c.job == running.id]
    lose(store)
    record = store.get(ended.id)
    assert (record.state, record.output, record.attempts) == ("failed", "/out.ipynb", 1)
    assert record.reason is not None
    assert record.reason.code == "notebook-error"
    assert record.ended_at == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert store.attempts(ended.id)[0].exit_code == 1
    record = store.get(running.id)
    assert (record.state, record.attempts, record.cancelling) == ("starting", 1, True)
    assert store.claims("here") == claims  # what runs keeps its slot
    assert (store.get(back.id).state, store.get(back.id).attempts) == ("queued", 1)
    assert store.get(waits.id) == waits.model_copy(update={"backend_id": None})
    assert [job.id for job in store.waiting("local")] == [back.id, waits.id]


def test_a_lost_index_forgets_no_queue_order_and_starts_nothing_twice(
    store: JobStore, folders: JobFolders, submit: Callable[[], JobRecord]
) -> None:
    jobs = [submit().id for _ in range(6)]
    claim(store, folders, jobs[0])
    lose(store)
    started = []
    while (given := store.claim("here", ROOM, ())) is not None:
        started.append(given.job)
    assert started == jobs[1:]


def test_a_damaged_index_is_kept_aside_and_rebuilt(
    store: JobStore, folders: JobFolders, submit: Callable[[], JobRecord]
) -> None:
    job = submit()
    store.close()
    store.database.path.write_bytes(b"\0" * 5000)
    assert store.get(job.id).id == job.id
    assert list(folders.data_dir.glob("jobs.sqlite.damaged-*"))


def test_damaged_folders_do_not_hide_the_others(
    store: JobStore, folders: JobFolders, submit: Callable[[], JobRecord]
) -> None:
    good, bad, worse = submit(), submit(), submit()
    (folders.job(bad.id) / "job.json").write_text("{", encoding="utf-8")
    (folders.job(worse.id) / "request.json").unlink()
    (folders.jobs / "notajob").mkdir()
    (folders.jobs / "file").touch()
    lose(store)
    assert [job.id for job in store.page().jobs] == [good.id]


def test_another_machines_submit_is_taken_in(
    tmp_path: Path, store: JobStore, folders: JobFolders, submit: Callable[[], JobRecord]
) -> None:
    elsewhere = JobStore(tmp_path / "other.sqlite", folders)
    assert elsewhere.counts().total == 0
    job = submit()
    assert Reconciler(elsewhere, folders, {}).rebuild() == 1
    assert elsewhere.get(job.id).name == job.name
    elsewhere.close()


def test_what_was_deleted_does_not_come_back(
    store: JobStore, folders: JobFolders, reconciler: Reconciler, submit: Callable[[], JobRecord]
) -> None:
    job = submit()
    store.observe(job.id, Observation(state="cancelled"))
    store.delete(job.id)  # killed before the folder was gone
    assert reconciler.rebuild() == 0
    with pytest.raises(NotFound):
        store.get(job.id)
