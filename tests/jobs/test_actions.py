"""What people do with jobs: cancel, delete, clean up, look closer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.actions import JobActions
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import Conflict, NotFound, Unavailable
from jupyter_mlinfn.model.jobs import CleanupRequest, JobRecord, JobRequest, JobState
from tests.jobs.workplace import Listener, code, write_notebook


@pytest.fixture
def actions(store: JobStore, folders: JobFolders, backend: Listener) -> JobActions:
    return JobActions(store, folders, {"local": backend})


@pytest.fixture
def submit(submission: Submission, work: Path) -> Callable[[], JobRecord]:
    (work / "helper.py").write_text("", encoding="utf-8")
    path = write_notebook(work / "n.ipynb", code("import helper"))
    return lambda: submission.submit(JobRequest(source=str(path)))


def end(store: JobStore, job: str, state: JobState = "failed", days_ago: float = 0) -> None:
    when = datetime.now(UTC) - timedelta(days=days_ago)
    store.observe(job, Observation(state=state, attempt=1, ended_at=when))


def test_cancel_leaves_the_wish_before_it_asks(
    actions: JobActions,
    submit: Callable[[], JobRecord],
    backend: Listener,
    folders: JobFolders,
    store: JobStore,
) -> None:
    job = submit()
    store.observe(job.id, Observation(state="running", attempt=1))
    backend.silent = True
    with pytest.raises(Unavailable) as told:
        actions.cancel(job.id)
    assert told.value.text == (
        "Your wish is taken. The line is dead. The job is cancelled as soon as that changes."
    )
    assert folders.cancel_requested(job.id)
    assert store.get(job.id).cancelling
    backend.silent = False
    assert actions.cancel(job.id).cancelling
    assert backend.cancelled == [job.id]


def test_cancel_after_the_end(
    actions: JobActions, submit: Callable[[], JobRecord], store: JobStore
) -> None:
    done, gone = submit(), submit()
    end(store, done.id, "succeeded")
    end(store, gone.id, "cancelled")
    with pytest.raises(Conflict, match="already succeeded"):
        actions.cancel(done.id)
    assert actions.cancel(gone.id).state == "cancelled"


def test_cancel_of_a_waiting_job_without_its_folder(
    actions: JobActions, submit: Callable[[], JobRecord], folders: JobFolders
) -> None:
    job = submit()
    shutil.rmtree(folders.job(job.id))
    assert actions.cancel(job.id).state == "cancelled"


def test_delete_removes_folder_and_row_and_keeps_the_output(
    actions: JobActions, submit: Callable[[], JobRecord], store: JobStore, folders: JobFolders
) -> None:
    job = submit()
    with pytest.raises(Conflict):
        actions.delete(job.id)
    assert folders.job(job.id).exists()
    output = Path(job.output_folder)
    output.mkdir(parents=True)
    end(store, job.id)
    actions.delete(job.id)
    assert not folders.job(job.id).exists()
    assert list(folders.staging.iterdir()) == []
    assert output.is_dir()
    with pytest.raises(NotFound):
        store.get(job.id)


def test_delete_with_outputs_touches_the_jobs_own_folder_only(
    actions: JobActions, submit: Callable[[], JobRecord], store: JobStore, work: Path
) -> None:
    own, linked = submit(), submit()
    for job in (own, linked):
        end(store, job.id)
    Path(own.output_folder).mkdir(parents=True)
    precious = work / "precious"
    precious.mkdir()
    Path(linked.output_folder).symlink_to(precious)
    for job in (own, linked):
        actions.delete(job.id, outputs=True)
    assert not Path(own.output_folder).exists()
    assert precious.is_dir()


def test_cleanup_shows_first_what_it_would_remove(
    actions: JobActions, submit: Callable[[], JobRecord], store: JobStore
) -> None:
    old, young, running = submit(), submit(), submit()
    end(store, old.id, "succeeded", days_ago=40)
    end(store, young.id, "succeeded", days_ago=10)
    store.observe(running.id, Observation(state="running", attempt=1))
    output = Path(old.output_folder)
    output.mkdir(parents=True)
    (output / "n.ipynb").write_bytes(b"x" * 5000)
    plan = actions.cleanup(CleanupRequest())
    assert [item.id for item in plan.items] == [old.id]
    assert not plan.done
    assert plan.items[0].output_folder is None
    with_outputs = actions.cleanup(CleanupRequest(outputs=True))
    assert with_outputs.size == plan.size + 5000
    assert with_outputs.items[0].output_folder == str(output)
    assert store.counts().total == 3
    done = actions.cleanup(CleanupRequest(outputs=True, dry_run=False))
    assert done.done
    assert (done.size, done.failed) == (with_outputs.size, ())
    assert not output.exists()
    assert {job.id for job in store.page().jobs} == {young.id, running.id}
    assert actions.cleanup(CleanupRequest(states=("running",), older_than=0)).items == ()


def test_a_kernel_where_the_job_worked(
    actions: JobActions, submit: Callable[[], JobRecord], work: Path
) -> None:
    kernel = actions.debug_kernel(submit().id)
    assert (kernel.kernel_name, kernel.folder) == ("python3", str(work))
    assert kernel.note is not None
    assert "helper.py" in kernel.note


def test_details_tell_everything(
    actions: JobActions, submit: Callable[[], JobRecord], store: JobStore, folders: JobFolders
) -> None:
    job = submit()
    store.observe(job.id, Observation(state="running", attempt=1))
    folder = folders.attempt(job.id, 1)
    folder.mkdir(parents=True)
    line = json.dumps({"at": "2026-01-01T00:00:00Z", "values": {"epoch": 1}})
    (folder / "values.jsonl").write_text(line + "\n", encoding="utf-8")
    details = actions.details(job.id)
    assert details.job.state == "running"
    assert details.spec.id == job.id
    assert [attempt.number for attempt in details.attempts] == [1]
    assert details.values[0]["values"] == {"epoch": 1}
