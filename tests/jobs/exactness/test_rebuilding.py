"""Exact reruns: the same, or a refusal that names all that differs and leaves nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.actions import JobActions
from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.runner.outcome import Ended, begin
from jupyter_mlinfn.jobs.runner.verify import verify_environment
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.environments import EnvironmentRef, Package
from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, RerunRequest, Resources
from tests.jobs.exactness.repositories import git, needs_git, repository
from tests.jobs.workplace import Kernels, Listener, code, reference, write_notebook

EXACT = RerunRequest(exact=True)


@pytest.fixture
def train(work: Path) -> Path:
    """A notebook with parameters, a local module and an input."""
    (work / "helper.py").write_text("VERSION = 1\n", encoding="utf-8")
    (work / "data.csv").write_text("1,2\n", encoding="utf-8")
    return write_notebook(
        work / "train.ipynb",
        code("epochs = 3", "parameters"),
        code("import helper\nprint(helper.VERSION, epochs)"),
    )


@pytest.fixture
def first(submission: Submission, train: Path) -> JobRecord:
    request = JobRequest(
        source=str(train), inputs=("data.csv",), raw_parameters={"epochs": "5"}, seed=7
    )
    return submission.submit(request)


def refused(submission: Submission, job: JobRecord) -> dict[str | None, str]:
    with pytest.raises(Refused) as error:
        submission.rerun(job.id, EXACT)
    assert error.value.exit_code == 4
    assert error.value.code == "not-exact"
    return {problem.field: problem.text for problem in error.value.problems}


def test_the_same_again(
    submission: Submission, first: JobRecord, folders: JobFolders, train: Path
) -> None:
    # what is beside the notebook now does not matter: the captured code runs
    (train.parent / "helper.py").write_text("VERSION = 2\n", encoding="utf-8")
    train.write_text("{}", encoding="utf-8")
    again = submission.rerun(first.id, EXACT)
    before, now = folders.read_spec(first.id), folders.read_spec(again.id)
    assert (now.exact, now.rerun_of, now.seed) == (True, first.id, 7)
    assert now.parameters == before.parameters == {"epochs": 5}
    hashes = [(file.path, file.role, file.sha256) for file in before.files]
    assert [(file.path, file.role, file.sha256) for file in now.files] == hashes
    told = json.loads((folders.bundle(again.id) / "first-outputs.json").read_bytes())
    assert told == {"job": first.id, "files": None}


def test_the_outputs_of_the_first_run_travel_with_the_second(
    submission: Submission, first: JobRecord, folders: JobFolders
) -> None:
    target = Path(first.output_folder)
    target.mkdir(parents=True)
    (target / "weights.bin").write_bytes(b"w")
    again = submission.rerun(first.id, EXACT)
    told = json.loads((folders.bundle(again.id) / "first-outputs.json").read_bytes())
    assert [file["path"] for file in told["files"]] == ["weights.bin"]


def test_everything_that_differs_is_named_at_once(
    submission: Submission,
    first: JobRecord,
    folders: JobFolders,
    store: JobStore,
    train: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (train.parent / "data.csv").write_text("1,3\n", encoding="utf-8")
    other = reference().model_copy(update={"digest": "sha256:" + "1" * 64})
    monkeypatch.setattr(Kernels, "resolve", lambda *_: other)
    newer = (Package(name="numpy", version="2.1"), Package(name="torch", version="3"))
    monkeypatch.setattr(Kernels, "packages", lambda *_: newer)
    told = refused(submission, first)
    assert set(told) == {"inputs.0", "environment"}
    assert "data.csv is not what it was: its content is another" in told["inputs.0"]
    assert "numpy 2.0 → 2.1, torch 3 is new" in told["environment"]
    assert (folders.all(), store.counts().total) == ([first.id], 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: path.unlink(), "cannot be read now"),
        (lambda path: path.write_text("1,2,3\n"), "had 4 bytes and has 6 now"),
        (lambda path: (path.unlink(), path.mkdir()), "no file now"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "no file now"),
    ],
)
def test_inputs_that_are_other_or_gone(
    submission: Submission, first: JobRecord, train: Path, change: Any, why: str
) -> None:
    change(train.parent / "data.csv")
    assert why in refused(submission, first)["inputs.0"]


def test_an_input_known_by_size_and_time_only(
    store: JobStore, folders: JobFolders, backend: Listener, train: Path
) -> None:
    submission = Submission(
        store, folders, {"local": backend}, Kernels(), user="somebody", hash_limit=1
    )
    first = submission.submit(JobRequest(source=str(train), inputs=("data.csv",)))
    submission.rerun(first.id, EXACT)
    os.utime(train.parent / "data.csv", (1, 1))
    assert "known by size and time only" in refused(submission, first)["inputs.0"]


@pytest.mark.parametrize("name", ["notebook.ipynb", "modules/helper.py"])
def test_a_captured_file_that_was_touched(
    submission: Submission, first: JobRecord, folders: JobFolders, name: str
) -> None:
    path = folders.bundle(first.id) / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2") + b" ")
    told = refused(submission, first)
    assert f"files.{Path(name).name}" in told


def test_a_folder_that_is_gone(submission: Submission, first: JobRecord, train: Path) -> None:
    train.parent.rename(train.parent.with_name("moved"))
    told = refused(submission, first)
    assert "not there any more" in told["source"]
    assert "inputs.0" in told


def test_what_was_not_known_cannot_be_the_same(
    submission: Submission, train: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = reference().model_copy(update={"digest": None})
    monkeypatch.setattr(Kernels, "resolve", lambda *_: unknown)
    first = submission.submit(JobRequest(source=str(train)))
    assert "nobody can tell" in refused(submission, first)["environment"]


def test_a_kernel_that_is_started_in_another_way(
    submission: Submission, train: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(**env: str) -> EnvironmentRef:
        ref = reference()
        return ref.model_copy(update={"kernel": ref.kernel.model_copy(update={"env": env})})

    monkeypatch.setattr(Kernels, "resolve", lambda *_: started(MODE="fast", HF_TOKEN="a"))
    first = submission.submit(JobRequest(source=str(train)))
    monkeypatch.setattr(Kernels, "resolve", lambda *_: started(MODE="fast", HF_TOKEN="b"))
    submission.rerun(first.id, EXACT)
    monkeypatch.setattr(Kernels, "resolve", lambda *_: started(MODE="slow", HF_TOKEN="a"))
    told = refused(submission, first)["environment"]
    assert "variables MODE differ" in told
    assert "TOKEN" not in told


def test_an_environment_that_is_gone_is_refused_too(
    submission: Submission, first: JobRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.jobs.workplace.LANGUAGES", {"ir": "R"})
    assert "environment" in refused(submission, first)


def test_nothing_but_the_place_may_change(submission: Submission, first: JobRecord) -> None:
    changes = RerunRequest(
        exact=True, parameters={"epochs": 1}, environment="ir", seed=1, resources=Resources(cpus=2)
    )
    with pytest.raises(InputError) as error:
        submission.rerun(first.id, changes)
    fields = {problem.field for problem in error.value.problems}
    assert fields == {"parameters", "environment", "resources", "seed"}
    assert submission.rerun(first.id, RerunRequest(exact=True, backend="local")).backend == "local"


@needs_git
def test_the_commit_goes_with_the_code(
    submission: Submission, train: Path, folders: JobFolders
) -> None:
    repository(train.parent)
    (train.parent / "code.py").write_text("rate = 5\n", encoding="utf-8")
    first = submission.submit(JobRequest(source=str(train)))
    state = folders.read_spec(first.id).git
    assert state is not None
    assert state.commit == git(train.parent, "rev-parse", "HEAD")
    git(train.parent, "commit", "--quiet", "-a", "-m", "later")
    again = submission.rerun(first.id, EXACT)
    assert folders.read_spec(again.id).git == state
    kept = [folders.bundle(job.id) / "git.diff" for job in (first, again)]
    assert kept[0].read_bytes() == kept[1].read_bytes()
    assert b"+rate = 5" in kept[0].read_bytes()
    assert kept[0].stat().st_mode & 0o777 == 0o600


def test_the_record_holds_the_hashes_the_node_and_the_verdict(
    submission: Submission, first: JobRecord, store: JobStore, folders: JobFolders
) -> None:
    actions = JobActions(store, folders, {})
    print_first = actions.details(first.id).fingerprint
    again = submission.rerun(first.id, EXACT)
    assert actions.details(again.id).fingerprint == print_first
    assert print_first.inputs is not None
    assert (print_first.seed, print_first.environment) == (7, reference().digest)
    other = submission.rerun(first.id, RerunRequest(parameters={"epochs": 6}))
    told = actions.details(other.id).fingerprint
    assert told.parameters != print_first.parameters
    assert told.all != print_first.all
    assert (told.code, told.inputs) == (print_first.code, print_first.inputs)


@pytest.mark.parametrize("name", ["data.csv", "helper.py"])
def test_what_changes_while_it_waits_is_seen_before_the_first_line_runs(
    submission: Submission, first: JobRecord, folders: JobFolders, train: Path, name: str
) -> None:
    again = submission.rerun(first.id, EXACT)
    attempt = AttemptFolder(folders.attempt(again.id, 1))
    attempt.path.mkdir(parents=True)
    place = train.parent if name == "data.csv" else folders.bundle(again.id) / "modules"
    (place / name).write_text("1,9\n", encoding="utf-8")
    with pytest.raises(Ended) as ended:
        verify_environment(attempt)
    reason = ended.value.outcome.reason
    assert reason is not None
    assert reason["code"] == ("input-changed" if name == "data.csv" else "bundle-damaged")
    assert name in reason["text"]


def test_an_ordinary_rerun_takes_the_inputs_of_now(
    submission: Submission, first: JobRecord, folders: JobFolders, train: Path
) -> None:
    again = submission.rerun(first.id, RerunRequest())
    attempt = AttemptFolder(folders.attempt(again.id, 1))
    attempt.path.mkdir(parents=True)
    (train.parent / "data.csv").write_text("1,9\n", encoding="utf-8")
    with pytest.raises(Ended) as ended:
        verify_environment(attempt)
    # the kernel of these tests has a digest that nothing has
    assert (ended.value.outcome.reason or {})["code"] == "environment-mismatch"


def test_an_attempt_tells_its_machine_before_the_first_line_runs(
    first: JobRecord, folders: JobFolders, store: JobStore
) -> None:
    attempt = AttemptFolder(folders.attempt(first.id, 1))
    attempt.path.mkdir(parents=True)
    begin(attempt)
    store.adopt(folders, [first.id])
    assert json.loads(attempt.node.read_bytes())["host"] == os.uname().nodename
