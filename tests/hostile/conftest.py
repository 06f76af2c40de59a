"""A place whose every change is noticed."""

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
    made = JobFolders(tmp_path / "data")
    made.create()
    return made


@pytest.fixture
def store(folders: JobFolders) -> Iterator[JobStore]:
    made = JobStore(folders.data_dir / "jobs.sqlite", folders)
    made.counts()
    yield made
    made.close()


@pytest.fixture
def backend() -> Listener:
    return Listener()


@pytest.fixture
def submission(store: JobStore, folders: JobFolders, backend: Listener) -> Submission:
    return Submission(store, folders, {"local": backend}, Kernels(), user="somebody")
