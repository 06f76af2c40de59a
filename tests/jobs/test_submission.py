"""From a request to a durable job: drafts with all problems, bundles whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import InputError, NotFound, PartMissing, Refused, Unavailable
from jupyter_mlinfn.model.jobs import Draft, JobRequest, RerunRequest, Resources
from tests.jobs.workplace import Kernels, Listener, code, reference, write_notebook


@pytest.fixture
def train(work: Path) -> Path:
    """A notebook with parameters, a local module and data beside it."""
    (work / "helper.py").write_text("VERSION = 1\n", encoding="utf-8")
    (work / "data.csv").write_text("1,2\n", encoding="utf-8")
    return write_notebook(
        work / "train.ipynb",
        code("epochs = 3  # how many\nrate = 0.1", "parameters"),
        code("import helper\nprint(helper.VERSION, epochs)"),
    )


def ask(path: Path, **changes: Any) -> JobRequest:
    return JobRequest(source=str(path), **changes)


def codes(draft: Draft) -> dict[str | None, str]:
    assert draft.ok is (not draft.problems)
    return {problem.field: problem.code for problem in draft.problems}


def test_a_good_draft_says_what_would_happen(submission: Submission, train: Path) -> None:
    draft = submission.draft(ask(train, raw_parameters={"epochs": "5"}, parameters={"rate": 1}))
    assert draft.ok
    assert draft.accepted == {"epochs": 5, "rate": 1}
    assert draft.modules == ("helper",)
    assert draft.forecast is not None
    assert draft.forecast.text == "Would start now."
    assert draft.environment is not None
    assert draft.environment.name == "python3"
    assert draft.output_folder == str(train.parent / "results" / "train-<job>")
    assert not (train.parent / "results").exists()


def test_a_secret_of_a_kernel_spec_is_in_no_record(
    submission: Submission,
    folders: JobFolders,
    store: JobStore,
    train: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the file the kernel is started from holds it, and that is the person's alone."""
    ref = reference()
    env = {"HF_TOKEN": "swordfish", "MODE": "fast"}
    kernel = ref.kernel.model_copy(update={"env": env})
    monkeypatch.setattr(Kernels, "resolve", lambda *_: ref.model_copy(update={"kernel": kernel}))
    job = submission.submit(ask(train))
    holding = [
        path
        for path in folders.data_dir.rglob("*")
        if path.is_file() and b"swordfish" in path.read_bytes()
    ]
    assert holding == [folders.bundle(job.id) / "kernel.json"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert folders.read_spec(job.id).environment.kernel.env == {"MODE": "fast"}
    assert store.get(job.id).state == "queued"


def test_a_bad_draft_names_all_problems_at_once(submission: Submission, train: Path) -> None:
    draft = submission.draft(
        ask(
            train,
            name="x\n#SBATCH --uid=0",
            environment="gone",
            raw_parameters={"epochs": "many", "epoch": "1", "__builtins__": "1"},
            resources=Resources(cpus=100),
            inputs=("nothing.csv", "data.csv"),
            outputs=("*.png", "../*", "/etc/*"),
        )
    )
    assert codes(draft) == {
        "name": "bad-name",
        "environment": "environment-missing",
        "parameters.epochs": "bad-parameter",
        "parameters.epoch": "unknown-parameter",
        "parameters.__builtins__": "bad-parameter",
        "resources.cpus": "asks-too-much",
        "inputs.0": "bad-input-file",
        "outputs.1": "bad-output",
        "outputs.2": "bad-output",
    }
    by_field = {problem.field: problem for problem in draft.problems}
    assert by_field["parameters.epoch"].hint == "epochs"
    assert draft.forecast is None


def test_what_submit_raises_tells_how_it_ended(submission: Submission, train: Path) -> None:
    with pytest.raises(InputError) as bad:
        submission.submit(ask(train, raw_parameters={"epochs": "x"}, environment="gone"))
    assert [problem.field for problem in bad.value.problems] == ["environment", "parameters.epochs"]
    with pytest.raises(PartMissing) as missing:
        submission.submit(ask(train, environment="gone"))
    assert missing.value.code == "environment-missing"
    with pytest.raises(PartMissing):
        submission.submit(ask(train, backend="moon"))
    with pytest.raises(Refused):
        submission.submit(ask(train, resources=Resources(cpus=100)))


def test_nothing_is_left_of_a_refused_submit(
    submission: Submission, train: Path, folders: JobFolders, store: JobStore
) -> None:
    with pytest.raises(InputError):
        submission.submit(ask(train, raw_parameters={"epochs": "x"}))
    assert folders.all() == []
    assert store.counts().total == 0


def test_values_without_a_cell_are_never_ignored(submission: Submission, work: Path) -> None:
    bare = write_notebook(work / "bare.ipynb", code("x = 1\nprint(x)"))
    draft = submission.draft(ask(bare, raw_parameters={"x": "2"}))
    assert codes(draft) == {"parameters": "no-parameters-cell"}
    assert "create" in (draft.problems[0].hint or "")
    asked = ask(bare, raw_parameters={"x": "2"}, create_parameters_cell=True)
    draft = submission.draft(asked)
    assert draft.ok
    assert draft.accepted == {"x": 2}
    assert any("new first cell" in note for note in draft.notes)
    record = submission.submit(asked)
    assert record.parameters == {"x": 2}


@pytest.mark.parametrize(
    ("kernel", "injection"), [("ir", "cell"), ("julia-1.10", "cell"), ("xcpp17", "environment")]
)
def test_foreign_kernels(
    submission: Submission, work: Path, folders: JobFolders, kernel: str, injection: str
) -> None:
    path = write_notebook(work / "n.ipynb", code("n = 1", "parameters"), kernel=kernel)
    asked = ask(path, raw_parameters={"n": "2"})
    notes = " ".join(submission.draft(asked).notes)
    assert ("MLINFN_PARAM_" in notes) is (injection == "environment")
    spec = folders.read_spec(submission.submit(asked).id)
    assert (spec.injection, spec.parameters) == (injection, {"n": 2})
    assert spec.environment.name == kernel


def test_a_notebook_without_kernel_takes_python3_and_says_so(
    submission: Submission, work: Path
) -> None:
    draft = submission.draft(ask(write_notebook(work / "n.ipynb", kernel=None)))
    assert draft.ok
    assert any("python3" in note for note in draft.notes)
    draft = submission.draft(ask(write_notebook(work / "m.ipynb", kernel="gone")))
    assert codes(draft) == {"environment": "environment-missing"}


def test_another_language_is_noted(submission: Submission, train: Path) -> None:
    draft = submission.draft(ask(train, environment="ir"))
    assert "The notebook is written in python; this environment runs r." in draft.notes
    assert submission.draft(ask(train)).notes == ()


def test_try_first_takes_five_minutes(submission: Submission, train: Path) -> None:
    record = submission.submit(ask(train, try_first=True))
    assert record.try_first
    assert record.resources.time == 300
    short = submission.submit(ask(train, try_first=True, resources=Resources(time=60)))
    assert short.resources.time == 60
    full = submission.rerun(record.id, RerunRequest(try_first=False))
    assert (full.try_first, full.resources.time) == (False, Resources().time)


def test_the_bundle_holds_what_was_there_at_submit(
    submission: Submission, train: Path, folders: JobFolders, backend: Listener
) -> None:
    before = train.read_bytes()
    record = submission.submit(ask(train, inputs=("data.csv",), parameters={"epochs": 9}))
    (train.parent / "helper.py").write_text("VERSION = 2\n", encoding="utf-8")
    train.write_text("{}", encoding="utf-8")
    bundle, spec = folders.bundle(record.id), folders.read_spec(record.id)
    assert (bundle / "notebook.ipynb").read_bytes() == before
    assert (bundle / "modules" / "helper.py").read_text() == "VERSION = 1\n"
    roles = {file.path: file.role for file in spec.files}
    assert roles == {"notebook.ipynb": "notebook", "helper.py": "module", "data.csv": "input"}
    assert all(file.sha256 and file.mtime for file in spec.files)
    assert spec.workdir == str(train.parent)
    assert spec.output_folder == str(train.parent / "results" / f"train-{record.id}")
    assert folders.read_environment(record.id).packages[0].name == "numpy"
    assert folders.committed(record.id)
    assert backend.submitted == [spec.token]
    assert record.backend_id == record.id
    assert list(folders.staging.iterdir()) == []
    for path in (folders.data_dir, folders.jobs, folders.job(record.id), bundle):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_large_inputs_are_known_by_size_and_time(
    store: JobStore, folders: JobFolders, backend: Listener, train: Path
) -> None:
    small = Submission(store, folders, {"local": backend}, Kernels(), user="me", hash_limit=3)
    spec = folders.read_spec(small.submit(ask(train, inputs=("data.csv",))).id)
    (entry,) = (file for file in spec.files if file.role == "input")
    assert (entry.sha256, entry.size) == (None, 4)


def test_one_cell_is_a_job(submission: Submission, train: Path, folders: JobFolders) -> None:
    record = submission.submit(ask(train, cell="import helper\nprint(1)"))
    assert (record.kind, record.name) == ("cell", "train (cell)")
    bundle = folders.bundle(record.id)
    document = json.loads((bundle / "notebook.ipynb").read_bytes())
    assert [cell["source"] for cell in document["cells"]] == ["import helper\nprint(1)"]
    assert document["metadata"]["kernelspec"]["name"] == "python3"
    assert (bundle / "modules" / "helper.py").exists()


def test_a_script_is_a_job(submission: Submission, work: Path, folders: JobFolders) -> None:
    (work / "helper.py").write_text("", encoding="utf-8")
    script = work / "run.py"
    script.write_text("import helper\n", encoding="utf-8")
    record = submission.submit(ask(script, raw_parameters={"n": "2"}))
    spec = folders.read_spec(record.id)
    assert (spec.kind, spec.injection, spec.parameters) == ("script", "environment", {"n": 2})
    assert (folders.bundle(record.id) / "script.py").read_text() == "import helper\n"
    assert (folders.bundle(record.id) / "modules" / "helper.py").exists()


def test_one_click_is_one_job(submission: Submission, train: Path, folders: JobFolders) -> None:
    records = [submission.submit(ask(train), key="click") for _ in range(3)]
    assert len({record.id for record in records}) == 1
    assert folders.all() == [records[0].id]


def test_a_click_that_lost_the_race_leaves_nothing(
    submission: Submission, train: Path, folders: JobFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = submission.submit(ask(train), key="click")
    # both looked before either had inserted
    monkeypatch.setattr(submission._store, "by_key", lambda key: None)
    assert submission.submit(ask(train), key="click").id == first.id
    assert folders.all() == [first.id]


def test_a_silent_back_end_loses_nothing(
    submission: Submission, train: Path, store: JobStore, backend: Listener
) -> None:
    backend.silent = True
    record = submission.submit(ask(train))
    assert record.state == "queued"
    assert record.reason is not None
    assert "does not answer" in record.reason.text
    assert store.get(record.id).backend_id is None


def test_a_full_disk_is_said_and_leaves_nothing(
    submission: Submission, train: Path, folders: JobFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable) as caught:
        submission.submit(ask(train))
    assert caught.value.code == "disk-full"
    assert "Nothing was submitted" in caught.value.text
    assert folders.all() == []
    assert list(folders.staging.iterdir()) == []


def test_the_form_knows_parameters_and_what_was_used_last(
    submission: Submission, train: Path
) -> None:
    form = submission.form(train)
    assert not form.remembered
    assert [parameter.name for parameter in form.parameters] == ["epochs", "rate"]
    assert form.parameters[0].help == "how many"
    assert form.defaults.environment == "python3"
    assert form.defaults.resources == Resources()
    assert {kernel.name for kernel in form.kernels} >= {"python3", "ir"}
    assert form.limits.cpus == 8
    used = Resources(cpus=4, gpus=1, time=600)
    submission.submit(ask(train, parameters={"epochs": 7}, resources=used, name="once"))
    form = submission.form(train)
    assert form.remembered
    assert form.defaults.resources == used
    assert form.defaults.parameters == {"epochs": 7}
    assert form.defaults.name is None
    write_notebook(train, code("rate = 1", "parameters"))
    assert submission.form(train).defaults.parameters == {}


def test_rerun_takes_the_code_of_then(
    submission: Submission, train: Path, folders: JobFolders
) -> None:
    first = submission.submit(ask(train, raw_parameters={"epochs": "5"}))
    (train.parent / "helper.py").unlink()
    train.unlink()
    again = submission.rerun(first.id, RerunRequest(), key="again")
    assert again.rerun_of == first.id
    assert again.parameters == {"epochs": 5}
    bundle = folders.bundle(again.id)
    assert (bundle / "modules" / "helper.py").read_text() == "VERSION = 1\n"
    assert submission.rerun(first.id, RerunRequest(), key="again") == again
    changes = RerunRequest(parameters={"rate": 2}, resources=Resources(cpus=2), environment="ir")
    other = submission.rerun(again.id, changes)
    assert other.parameters == {"rate": 2}
    assert other.resources.cpus == 2
    assert other.environment.name == "ir"
    with pytest.raises(InputError):
        submission.rerun(first.id, RerunRequest(parameters={"epochs": "no"}))
    folders.remove(first.id)
    with pytest.raises(NotFound):
        submission.rerun(first.id, RerunRequest())


def test_an_output_pattern_that_cannot_be_filled(
    store: JobStore, folders: JobFolders, backend: Listener, train: Path
) -> None:
    wrong = Submission(
        store, folders, {"local": backend}, Kernels(), user="me", output_folder="{nope}/x"
    )
    with pytest.raises(InputError) as caught:
        wrong.submit(ask(train))
    assert caught.value.field == "output_folder"
    assert list(folders.staging.iterdir()) == []
