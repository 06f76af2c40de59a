"""What the tests of the jobs room stand on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from tests.jobs.workplace import Kernels, Listener


@pytest.fixture
def folders(tmp_path: Path) -> JobFolders:
    """Empty job folders."""
    made = JobFolders(tmp_path / "data")
    made.create()
    return made


@pytest.fixture
def store(folders: JobFolders) -> Iterator[JobStore]:
    """An empty index over :func:`folders`."""
    made = JobStore(folders.data_dir / "jobs.sqlite", folders)
    yield made
    made.close()


@pytest.fixture
def backend() -> Listener:
    """A back-end that only listens."""
    return Listener()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The person's folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def submission(store: JobStore, folders: JobFolders, backend: Listener) -> Submission:
    """The way to submit."""
    return Submission(store, folders, {"local": backend}, Kernels(), user="somebody")
