"""What is compared of a job and of the points of a sweep, gathered from index and folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.exactness.comparing import compare
from jupyter_mlinfn.jobs.exactness.facts import FactsReader
from jupyter_mlinfn.jobs.exactness.fingerprint import fingerprint
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import InputError, NotFound, Refused
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, RerunRequest
from jupyter_mlinfn.model.sweeps import Sweep
from tests.jobs.workplace import code, write_notebook


@pytest.fixture
def reader(store: JobStore, folders: JobFolders) -> FactsReader:
    return FactsReader(store, folders)


@pytest.fixture
def train(work: Path) -> Path:
    return write_notebook(work / "train.ipynb", code("lr = 0.1\nn = 1", "parameters"), code("lr"))


def leave(folder: Path, loss: float) -> None:
    """What an attempt leaves behind."""
    folder.mkdir(parents=True)
    cell = code("lr")
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": f"loss {loss}\n"}]
    injected = code("lr = 9", "injected-parameters")
    write_notebook(folder / "notebook.ipynb", code("lr = 0.1\nn = 1"), injected, cell)
    lines = [{"values": {"loss": 9, "best": 1}}, {"values": {"loss": loss}}]
    (folder / "values.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    event = {"kind": "cell-done", "cell": 1, "seconds": 0.25}
    (folder / "events.jsonl").write_text(json.dumps(event) + "\n")
    (folder / "node.json").write_text(json.dumps({"cpu": "EPYC", "gpu_models": ["T4"]}))
    files = [{"path": "w.bin", "size": 1, "sha256": f"{int(loss * 10):064d}"}]
    (folder / "outputs.json").write_text(json.dumps({"files": files}))


def test_a_job_that_has_not_run(submission: Submission, reader: FactsReader, train: Path) -> None:
    job = submission.submit(JobRequest(source=str(train), raw_parameters={"lr": "0.2"}))
    facts = reader.read(job.id)
    assert facts.parameters == {"lr": 0.2}
    assert facts.packages == {"numpy": "2.0"}
    assert facts.code is not None
    assert [cell.source for cell in facts.code] == ["lr = 0.1\nn = 1", "lr"]
    assert (facts.outputs, facts.printed, facts.node, dict(facts.values)) == (None, None, None, {})
    assert compare(facts, facts).same_outputs is None


def test_what_a_run_left_behind(
    submission: Submission, reader: FactsReader, folders: JobFolders, train: Path
) -> None:
    job = submission.submit(JobRequest(source=str(train)))
    leave(folders.attempt(job.id, 1), 0.5)
    leave(folders.attempt(job.id, 2), 0.4)
    facts = reader.read(job.id[:9])
    assert facts.values == {"loss": 0.4, "best": 1}
    assert facts.printed is not None
    assert [cell.output for cell in facts.printed] == ["", "loss 0.4"]
    assert facts.cell_seconds == {1: 0.25}
    assert facts.node is not None
    assert facts.node.gpu_models == ("T4",)
    assert facts.outputs is not None
    assert facts.outputs[0].sha256 == f"{4:064d}"


@pytest.fixture
def sweep(submission: Submission, folders: JobFolders, train: Path) -> JobRecord:
    """A sweep whose first and third points have run."""
    request = JobRequest(
        source=str(train), parameters={"n": 2}, sweep=Sweep(raw_axes={"lr": "0.1,0.2,0.3"})
    )
    job = submission.submit(request)
    leave(folders.attempt(job.id, 1, point=0), 0.5)
    leave(folders.attempt(job.id, 1, point=2), 0.3)
    return job


def test_two_points_of_a_sweep(reader: FactsReader, sweep: JobRecord) -> None:
    first, third = reader.read(sweep.id, 0), reader.read(sweep.id, 2)
    assert (first.parameters, third.parameters) == ({"lr": 0.1, "n": 2}, {"lr": 0.3, "n": 2})
    found = compare(first, third)
    assert (found.a.point, found.b.point) == (0, 2)
    assert found.text.startswith("Different: parameters (lr).")
    told = {part.name: part.same for part in found.sections}
    assert (told["code"], told["values"], told["outputs"]) == (True, False, False)


def test_points_that_are_not_there(
    submission: Submission, reader: FactsReader, sweep: JobRecord, train: Path
) -> None:
    with pytest.raises(NotFound):
        reader.read(sweep.id, 3)
    alone = submission.submit(JobRequest(source=str(train)))
    with pytest.raises((NotFound, InputError)):
        reader.read(alone.id, 0)


def test_a_points_file_that_was_changed_is_not_believed(
    reader: FactsReader, folders: JobFolders, sweep: JobRecord
) -> None:
    path = folders.job(sweep.id) / "points.jsonl"
    path.write_bytes(path.read_bytes().replace(b"0.3", b"0.4"))
    with pytest.raises(NotFound) as error:
        reader.read(sweep.id, 0)
    assert error.value.code == "bundle-damaged"


def test_a_folder_that_is_gone(
    submission: Submission, reader: FactsReader, folders: JobFolders, train: Path
) -> None:
    job = submission.submit(JobRequest(source=str(train)))
    folders.remove(job.id)
    with pytest.raises(NotFound):
        reader.read(job.id)


@pytest.mark.parametrize(
    "line",
    ['{"kind": "cell-done", "cell": "x", "seconds": 1}', '{"kind": "cell-done"}', "[]", "\0\0"],
)
def test_damaged_events_and_values_tell_nothing(
    submission: Submission, reader: FactsReader, folders: JobFolders, train: Path, line: str
) -> None:
    job = submission.submit(JobRequest(source=str(train)))
    attempt = folders.attempt(job.id, 1)
    attempt.mkdir(parents=True)
    for name in ("events.jsonl", "values.jsonl", "outputs.json", "node.json"):
        (attempt / name).write_text(line + "\n")
    facts = reader.read(job.id)
    assert (dict(facts.cell_seconds), dict(facts.values), facts.node) == ({}, {}, None)


def test_a_sweep_runs_again_exactly_with_the_same_points(
    submission: Submission, reader: FactsReader, folders: JobFolders, sweep: JobRecord
) -> None:
    again = submission.rerun(sweep.id, RerunRequest(exact=True))
    before, now = folders.read_spec(sweep.id), folders.read_spec(again.id)
    assert (now.points, now.points_sha256) == (3, before.points_sha256)
    assert fingerprint(now) == fingerprint(before)
    assert reader.read(again.id, 1).parameters == {"lr": 0.2, "n": 2}
    path = folders.job(sweep.id) / "points.jsonl"
    path.write_bytes(path.read_bytes().replace(b"0.3", b"0.4"))
    with pytest.raises(Refused) as refused:
        submission.rerun(sweep.id, RerunRequest(exact=True))
    assert refused.value.code == "not-exact"
