"""A job at home, and the place it travels to."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.jobs.travel import parcel
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.model.sweeps import Sweep
from tests.jobs.workplace import code, write_notebook

POINTS = 5
"""How many the sweep has."""


@pytest.fixture
def home(submission: Submission, folders: JobFolders, work: Path) -> Path:
    """The folder of a job that was submitted with an input below the notebook and one beside."""
    (work / "data").mkdir()
    (work / "data" / "events.csv").write_text("1,2\n")
    (work.parent / "elsewhere.csv").write_text("3\n")
    notebook = write_notebook(work / "study.ipynb", code("print(1)"))
    inputs = ("data/events.csv", "../elsewhere.csv")
    asked = JobRequest(source=str(notebook), backend="local", inputs=inputs)
    return folders.job(submission.submit(asked).id)


@pytest.fixture
def sweep_home(submission: Submission, folders: JobFolders, work: Path) -> Path:
    """The folder of a sweep."""
    notebook = write_notebook(work / "study.ipynb", code("k = 0", "parameters"), code("print(k)"))
    sweep = Sweep(raw_axes={"k": f"0..{POINTS - 1}"})
    asked = JobRequest(source=str(notebook), backend="local", sweep=sweep)
    return folders.job(submission.submit(asked).id)


@pytest.fixture
def far(home: Path, tmp_path: Path) -> Path:
    """The job's folder there."""
    folder = tmp_path / "far" / "jobs" / home.name
    folder.parent.mkdir(parents=True)
    parcel.unpack(packed(home), folder)
    return folder


def packed(home: Path) -> BytesIO:
    """The parcel of a job."""
    stream = BytesIO()
    parcel.pack(home, stream)
    stream.seek(0)
    return stream
