"""The index that is locked, read-only or broken in the middle: told, kept, made again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from jupyter_mlinfn.database.engine import Damaged
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest
from jupyter_mlinfn.model.sweeps import Sweep
from tests.jobs.workplace import Kernels, Listener, code, write_notebook

pytestmark = pytest.mark.slow

READS_ONLY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.jobs.workplace import Kernels, Listener
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JobRequest
folders = JobFolders(Path(sys.argv[2]))
store = JobStore(folders.data_dir / "jobs.sqlite", folders, patience=0.5)
submission = Submission(store, folders, {"local": Listener()}, Kernels(), user="me")
try:
    submission.submit(JobRequest(source=sys.argv[3]), key="a-click")
except Unavailable as error:
    print(error.code, "|", error.text)
"""

Click = Callable[[], JobRecord]


@pytest.fixture
def click(store: JobStore, folders: JobFolders, work: Path) -> Click:
    path = write_notebook(work / "n.ipynb", code("k = 0", "parameters"), code("print(k)"))
    submission = Submission(store, folders, {"local": Listener()}, Kernels(), user="me")
    request = JobRequest(source=str(path), sweep=Sweep(raw_axes={"k": "0..4"}))
    return lambda: submission.submit(request, key="a-click")


def test_a_locked_index_is_told_and_leaves_nothing_behind(
    store: JobStore, folders: JobFolders, click: Click
) -> None:
    store.counts()
    store.database._patience = 0.2
    store.close()
    with sqlite3.connect(store.database.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable) as caught:
            click()
        assert caught.value.code == "database-busy"
        assert store.page().jobs == ()  # who only reads waits for nobody
        assert folders.all() == []
        other.execute("ROLLBACK")
    assert click().id == click().id
    assert len(folders.all()) == 1


def test_a_read_only_home_is_told_and_works_again(
    store: JobStore, folders: JobFolders, click: Click, work: Path
) -> None:
    """A real mount, in a namespace of its own."""
    job = click()
    store.close()
    program = [sys.executable, "-c", READS_ONLY, str(Path(__file__).parents[2])]
    inside = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && shift 0 && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", inside, str(folders.data_dir), *program]
    argv += [str(folders.data_dir), str(work / "n.ipynb")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()[:200]}")
    told = done.stdout.strip()
    assert told.split(" | ")[0].startswith(("database-", "data-folder")), (told, done.stderr)
    assert "Traceback" not in done.stderr
    assert click().id == job.id
    assert folders.all() == [job.id]


def broken(path: Path, tables: Sequence[str]) -> None:
    """Write nonsense over the first page of these tables; an empty list: over all but the first."""
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        pages = [plain.execute(query, (table,)).fetchone()[0] - 1 for table in tables]
    pages = pages or list(range(1, path.stat().st_size // 4096))
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * 4096)
            file.write(os.urandom(4096))


@pytest.mark.parametrize("tables", [[], ["jobs"], ["points"], ["jobs", "points"]])
def test_an_index_that_is_broken_somewhere_is_made_again_with_the_points_of_sweeps(
    store: JobStore, folders: JobFolders, click: Click, tables: list[str]
) -> None:
    job = click()
    store.close()
    path = store.database.path
    broken(path, tables)
    for _ in range(2):  # it is told once
        with suppress(Damaged):
            store.page()
            store.points.some(job.id, range(5))
    assert click().id == job.id
    assert [point.parameters for point in store.points.some(job.id, range(5))] == [
        {"k": number} for number in range(5)
    ]
    assert len(list(path.parent.glob("jobs.sqlite.damaged-*"))) == 1
    assert folders.all() == [job.id]


def test_of_two_who_meet_the_damage_only_one_puts_the_file_aside(
    store: JobStore, folders: JobFolders, click: Click
) -> None:
    job = click()
    other = JobStore(store.database.path, folders)
    assert other.get(job.id).id == job.id
    store.close()
    broken(store.database.path, ["jobs"])
    with pytest.raises(Damaged):
        store.page()
    assert store.get(job.id).id == job.id
    assert other.database.set_aside() is None  # it had the old file open
    assert other.get(job.id).id == job.id
    other.close()
    assert len(list(folders.data_dir.glob("jobs.sqlite.damaged-*"))) == 1
