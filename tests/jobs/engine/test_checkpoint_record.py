"""Evictions, the newest checkpoint and what was lost: as the index says it, and rebuilt."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs import checkpoints
from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends import attempts
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.follow import read_progress
from jupyter_mlinfn.jobs.history import completed, earlier, with_losses
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.jobs import JobSpec
from tests.jobs.workplace import REQUEST, make_spec

BEGAN = 1_700_000_000.0
TAKEN = {"code": "preempted", "text": "Its place was needed."}


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.fixture
def folders(tmp_path: Path) -> JobFolders:
    made = JobFolders(tmp_path / "data")
    made.create()
    return made


def write_job(folders: JobFolders) -> JobSpec:
    """A submitted job, in its folder alone."""
    spec = make_spec(evictable=True)
    folder = folders.job(spec.id)
    folder.mkdir()
    (folder / "job.json").write_text(spec.model_dump_json())
    (folder / "request.json").write_text(REQUEST.model_dump_json())
    folders.mark_committed(spec.id)
    return spec


def begin(folders: JobFolders, job: str, number: int, at: float) -> AttemptFolder:
    """An attempt whose code began at ``at``."""
    folder = AttemptFolder(folders.attempt(job, number))
    folder.path.mkdir(parents=True)
    folder.begun.write_text(json.dumps({"at": moment(at)}))
    return folder


def end(folder: AttemptFolder, at: float, **fields: Any) -> None:
    folder.end.write_text(json.dumps({"ended_at": moment(at), "accelerators": [], **fields}))


def live(folder: AttemptFolder, at: float, **fields: Any) -> None:
    folder.live.write_text(json.dumps({"at": moment(at), **fields}))
    os.utime(folder.live, (at, at))


def test_the_record_counts_evictions_and_tells_the_checkpoint(
    folders: JobFolders, tmp_path: Path
) -> None:
    spec = write_job(folders)
    first = begin(folders, spec.id, 1, BEGAN)
    end(first, BEGAN + 100, state="evicted", evictions=1, lost_seconds=12.5,
        checkpoint_at=moment(BEGAN + 87.5), reason=TAKEN)  # fmt: skip
    second = begin(folders, spec.id, 2, BEGAN + 200)
    end(second, BEGAN + 300, state="evicted", evictions=2, lost_seconds=3.0,
        checkpoint_at=moment(BEGAN + 297), reason=TAKEN)  # fmt: skip
    store = JobStore(tmp_path / "index.sqlite", folders)  # new: it is filled from the folders
    record = store.get(spec.id)
    assert (record.state, record.attempts, record.evictions) == ("evicted", 2, 2)
    assert record.checkpoint_at == datetime.fromtimestamp(BEGAN + 297, UTC)
    assert [one.lost_seconds for one in store.attempts(spec.id)] == [12.5, 3.0]
    assert [one.state for one in store.attempts(spec.id)] == ["evicted", "evicted"]
    store.close()


def test_an_index_that_saw_it_all_and_a_rebuilt_one_say_the_same(
    folders: JobFolders, tmp_path: Path
) -> None:
    spec = write_job(folders)
    seeing = JobStore(tmp_path / "seeing.sqlite", folders)
    record = seeing.get(spec.id)
    for number, ended in ((1, "evicted"), (2, "succeeded")):
        folder = begin(folders, spec.id, number, BEGAN + 1000 * number)
        live(folder, BEGAN + 1000 * number + 10, evictions=number - 1)
        now = record.model_copy(update={"attempts": number})
        record = seeing.observe(spec.id, attempts.observe(folder, now))
        lost = {"lost_seconds": 5.0} if ended == "evicted" else {}
        end(folder, BEGAN + 1000 * number + 100, state=ended, evictions=1, **lost,
            checkpoint_at=moment(BEGAN + 1000 * number + 95))  # fmt: skip
        record = seeing.observe(spec.id, attempts.observe(folder, now))
    rebuilt = JobStore(tmp_path / "rebuilt.sqlite", folders)
    again = rebuilt.get(spec.id)
    assert (record.evictions, record.checkpoint_at) == (again.evictions, again.checkpoint_at)
    assert again.evictions == 1
    assert [one.lost_seconds for one in rebuilt.attempts(spec.id)] == [5.0, None]
    assert [one.lost_seconds for one in seeing.attempts(spec.id)] == [5.0, None]
    seeing.close()
    rebuilt.close()


def test_an_attempt_killed_before_it_could_say_so_is_counted_all_the_same(
    folders: JobFolders,
) -> None:
    spec = write_job(folders)
    folder = begin(folders, spec.id, 1, BEGAN)
    live(folder, BEGAN + 50, evictions=0, checkpoint_at=moment(BEGAN + 20))
    folder.checkpoints.mkdir()
    kept = folder.checkpoints / "model.pickle"
    kept.write_bytes(b"x")
    os.utime(kept, (BEGAN + 40, BEGAN + 40))
    store = JobStore(folders.data_dir / "index.sqlite", folders)
    seen = Observation(state="evicted", attempt=1)
    told = with_losses(folders, store.get(spec.id), seen)
    assert (told.evictions, told.lost_seconds) == (1, 10.0)
    assert told.checkpoint_at == datetime.fromtimestamp(BEGAN + 40, UTC)
    record = store.observe(spec.id, told)
    assert (record.state, record.evictions) == ("evicted", 1)
    assert with_losses(folders, record, seen) is seen  # said once
    # what the next attempt saves says nothing of this one
    begin(folders, spec.id, 2, BEGAN + 500)
    os.utime(kept, (BEGAN + 600, BEGAN + 600))
    (past,) = earlier(folders.job(spec.id))
    assert (past.state, past.lost_seconds) == ("evicted", 30.0)
    store.close()


def test_starts_that_nobody_saw_are_told_from_the_folders(folders: JobFolders) -> None:
    spec = write_job(folders)
    first = begin(folders, spec.id, 1, BEGAN)
    end(first, BEGAN + 9, state="evicted", lost_seconds=9.0, host="n7", reason=TAKEN)
    returned = AttemptFolder(folders.attempt(spec.id, 2))
    returned.path.mkdir()
    reason = {"code": "not-started", "text": "The runner could not be started."}
    returned.returned.write_text(json.dumps({"reason": reason}))
    begin(folders, spec.id, 3, BEGAN + 60)
    found = completed((), folders.job(spec.id))
    assert [(one.number, one.state, one.host) for one in found] == [
        (1, "evicted", "n7"),
        (2, "evicted", None),
    ]
    assert found[1].reason is not None
    assert found[1].lost_seconds is None
    # one whose code never began gave nothing up
    third = AttemptFolder(folders.attempt(spec.id, 3))
    assert checkpoints.evictions_before(third) == 1
    first.end.unlink()
    assert checkpoints.evictions_before(third) == 1  # killed without a word: it was evictable
    plain = spec.model_copy(update={"evictable": False})
    (folders.job(spec.id) / "job.json").write_text(plain.model_dump_json())
    assert checkpoints.evictions_before(third) == 0  # its machine was lost


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"evictions": -1}', '{"evictions": 1e400}', '{"checkpoint_at": "yesterday"}',
     '{"checkpoint_at": 7, "evictions": true}', '{"at": "2023-01-01T00:00:00Z", "cpus": "many"}'],
)  # fmt: skip
def test_what_the_job_s_code_may_have_written_harms_nothing(folders: JobFolders, text: str) -> None:
    spec = write_job(folders)
    folder = begin(folders, spec.id, 1, BEGAN)
    folder.live.write_text(text)
    store = JobStore(folders.data_dir / "index.sqlite", folders)
    record = store.get(spec.id).model_copy(update={"attempts": 1})
    seen = attempts.observe(folder, record)
    assert (seen.state, seen.checkpoint_at) == ("running", None)
    assert seen.evictions in (0, 1)
    store.close()


def test_what_it_uses_now_is_told_while_it_runs_and_not_after(folders: JobFolders) -> None:
    spec = write_job(folders)
    folder = begin(folders, spec.id, 1, BEGAN)
    live(folder, time.time(), cpus=1.5, memory=3 * 2**30, peak_memory=4 * 2**30, gpus_busy=61.0,
         evictions=0, checkpoint_at=None)  # fmt: skip
    using = read_progress(folder.path).using
    assert using is not None
    assert (using.cpus, using.memory, using.peak_memory, using.gpus_busy) == (
        1.5, 3 * 2**30, 4 * 2**30, 61.0,
    )  # fmt: skip
    end(folder, time.time(), state="succeeded")
    assert read_progress(folder.path).using is None
