"""The hostile table through the door ``submit``."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jupyter_mlinfn.jobs import bundle
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.parameters import inject
from jupyter_mlinfn.jobs.sources import parse_notebook
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import InputError, MlinfnError
from jupyter_mlinfn.model.jobs import JobRequest
from tests.hostile.table import ROWS, Row
from tests.jobs.workplace import Listener, code, write_notebook


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    write_notebook(folder / "n.ipynb", code('n = 1\ntext = ""', "parameters"), code("print(n)"))
    return folder


def files(folder: Path) -> set[str]:
    """Everything below ``folder``, but for the log and shared memory of the database."""
    found = {str(path) for path in folder.rglob("*")}
    return {path for path in found if not path.endswith(("-wal", "-shm"))}


def problems(fields: dict[str, Any], submission: Submission) -> set[str]:
    """Submit, and give the fields that the refusal names."""
    with pytest.raises((MlinfnError, ValidationError)) as caught:
        submission.submit(JobRequest(**fields))
    error = caught.value
    if isinstance(error, ValidationError):
        return {".".join(map(str, one["loc"])) for one in error.errors()}
    for problem in error.problems:
        assert len(problem.text) < 6000
        assert "Traceback" not in problem.text
        problem.text.encode("utf-8")
    return {problem.field or "" for problem in error.problems}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_hostile_submit(
    row: Row,
    tmp_path: Path,
    work: Path,
    submission: Submission,
    store: JobStore,
    folders: JobFolders,
    backend: Listener,
) -> None:
    fields = {"source": "./n.ipynb", **row.prepare(work)}
    if fields["source"].startswith("./"):
        fields["source"] = str(work) + fields["source"][1:]
    before = files(tmp_path)
    if row.ends == "refused":
        named = problems(fields, submission)
        assert any(name == row.where or name.startswith(f"{row.where}.") for name in named)
        assert files(tmp_path) == before
        assert store.counts().total == 0
        assert backend.submitted == []
    else:
        record = submission.submit(JobRequest(**fields))
        assert record.name == fields.get("name", "n")
        written = files(tmp_path) - before
        assert all(path.startswith(str(folders.job(record.id))) for path in written)
        assert not any("secret" in path for path in written)
        for name, value in {
            **fields.get("parameters", {}),
            **fields.get("raw_parameters", {}),
        }.items():
            assert record.parameters[name] == value
            assert _injected(folders, record.id, record.parameters)[name] == value


def _injected(folders: JobFolders, job: str, values: dict[str, Any]) -> dict[str, Any]:
    """What the injected cell sets, read as literals: anything else would be code."""
    content = (folders.bundle(job) / "notebook.ipynb").read_bytes()
    cell = inject(parse_notebook(content, "n.ipynb")[0], values, "python").cells[1]
    found = {}
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign)
        (target,) = statement.targets
        assert isinstance(target, ast.Name)
        found[target.id] = ast.literal_eval(statement.value)
    return found


def test_6_a_link_swapped_in_after_the_check(
    tmp_path: Path,
    work: Path,
    submission: Submission,
    folders: JobFolders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = tmp_path / "work-secret.py"
    secret.write_text("TOKEN = 1", encoding="utf-8")
    module = work / "helper.py"
    module.write_text("", encoding="utf-8")
    write_notebook(work / "n.ipynb", code("import helper"))
    opened = bundle.open_regular

    def swap(path: Path, inside: Path | None = None) -> Any:
        if path.name == "helper.py":
            path.unlink()
            path.symlink_to(secret)
        return opened(path, inside)

    monkeypatch.setattr(bundle, "open_regular", swap)
    with pytest.raises(InputError) as caught:
        submission.submit(JobRequest(source=str(work / "n.ipynb")))
    assert caught.value.code == "bad-module"
    assert folders.all() == []
    assert list(folders.staging.iterdir()) == []


def test_13_a_pipe_as_a_module(work: Path, submission: Submission, folders: JobFolders) -> None:
    os.mkfifo(work / "helper.py")
    write_notebook(work / "n.ipynb", code("import helper"))
    record = submission.submit(JobRequest(source=str(work / "n.ipynb")))
    assert not (folders.bundle(record.id) / "modules").exists()


def test_39_what_is_large_is_refused_at_the_door() -> None:
    with pytest.raises(ValidationError):
        JobRequest(source="/n.ipynb", cell="x" * 10_000_001)
    with pytest.raises(ValidationError):
        JobRequest(source="/n.ipynb", inputs=("x",) * 100_000)


def test_fields_nobody_knows_are_refused() -> None:
    with pytest.raises(ValidationError):
        JobRequest.model_validate({"source": "/n.ipynb", "uid": 0})
