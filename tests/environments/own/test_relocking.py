"""An environment that was changed by hand: locked as it is now, or put back, and used by a job."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.own.layout import short
from jupyter_mlinfn.model.environment_tasks import Alter, Relock, Restore, Task, TaskRequest
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.workbench import Workbench
from tests.environments.engine.indexes import wheel, write_index
from tests.environments.own.conftest import notebook, run_job
from tests.environments.own.test_jobs import delete_one_file, edit_one_file, printed

pytestmark = pytest.mark.slow

Done = Callable[[TaskRequest], Task]
SAY = "import sys, greeting; print(sys.prefix, greeting.VERSION)"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of pip with two small packages, which pip here takes for its own."""
    folder = tmp_path / "index"
    wheels = [
        wheel(folder, "leaf", "1.0"),
        wheel(folder, "leaf", "2.0"),
        wheel(folder, "twig", "0.5", "leaf"),
    ]
    write_index(folder, wheels)
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[global]\nindex-url = {folder.as_uri()}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    return folder


def pip(prefix: Path, *words: str) -> None:
    """As somebody does in a terminal of the environment."""
    python = prefix / "bin" / "python"
    argv = [str(python), "-m", "pip", *words]
    ended = subprocess.run(argv, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def request_of(tmp_path: Path, code: str = SAY, environment: str = "one") -> JobRequest:
    return JobRequest(source=str(notebook(tmp_path / "a.ipynb", code)), environment=environment)


def states(bench: Workbench) -> list[tuple[str, str]]:
    return [(entry.action, entry.digest) for entry in bench.own.record("one").history]


def test_what_pip_installed_is_locked_and_runs(
    bench: Workbench, one: Path, done: Done, index: Path, tmp_path: Path
) -> None:
    pip(one, "install", "twig")
    request = request_of(tmp_path, "import twig, leaf; print(twig.VERSION, leaf.VERSION)")
    draft = bench.submission.draft(request)
    assert not draft.ok
    assert draft.remedy is not None
    assert draft.remedy.kind == "lock"
    assert "twig 0.5" in draft.remedy.text
    assert "mlinfn env undo one" in draft.remedy.text
    with pytest.raises(Refused) as refused:
        bench.submission.submit(request)
    assert "--lock-now" in (refused.value.hint or "")
    before = bench.own.record("one").digest
    task = done(draft.remedy.request)
    assert task.result is not None
    assert task.result.change is not None
    assert sorted(one.name for one in task.result.change.added) == ["leaf", "twig"]
    assert [action for action, _ in states(bench)] == ["create", "relock"]
    now = bench.own.state("one")
    assert now.digest != before
    assert not (now.prefix / "sneaky").exists()
    wish = (now.papers / "environment.yml").read_text()
    assert "twig==0.5" in wish
    assert "leaf" not in wish
    record = run_job(bench, request)
    assert record.state == "succeeded", record.reason
    assert printed(record).split() == ["0.5", "2.0"]
    assert record.environment.digest == now.digest
    done(Restore(name="one", digest=before))
    assert bench.own.record("one").digest == before
    assert bench.submission.draft(request_of(tmp_path)).ok


def test_a_version_that_pip_changed_and_one_that_it_took_away(
    bench: Workbench, one: Path, done: Done, index: Path, tmp_path: Path
) -> None:
    done(Alter(name="one", add_pip=("twig", "leaf==1.0")))
    prefix = bench.own.state("one").prefix
    pip(prefix, "install", "leaf==2.0")
    pip(prefix, "uninstall", "--yes", "twig")
    draft = bench.submission.draft(request_of(tmp_path))
    assert draft.remedy is not None
    assert (draft.remedy.kind, draft.remedy.files) == ("lock", ())
    task = done(draft.remedy.request)
    assert task.result is not None
    change = task.result.change
    assert change is not None
    assert [(one.name, one.after) for one in change.changed] == [("leaf", "2.0")]
    assert [one.name for one in change.removed] == ["twig"]
    assert bench.submission.draft(request_of(tmp_path)).ok


def conda_remove(prefix: Path, name: str) -> None:
    """As conda does: the files of the package, then its note."""
    note = next((prefix / "conda-meta").glob(f"{name}-*.json"))
    for path in json.loads(note.read_text())["files"]:
        (prefix / path).unlink()
    note.unlink()


def test_a_package_that_conda_took_away(
    bench: Workbench, one: Path, done: Done, tmp_path: Path
) -> None:
    conda_remove(one, "greeting")
    draft = bench.submission.draft(request_of(tmp_path))
    assert draft.remedy is not None
    assert (draft.remedy.kind, draft.remedy.files) == ("lock", ())
    assert "greeting taken away" in draft.remedy.text
    done(draft.remedy.request)
    assert "greeting" not in {p.name for p in bench.own.lock("one").packages}


def test_edits_cannot_be_locked_and_are_kept_when_the_locked_files_come_back(
    bench: Workbench, one: Path, done: Done, tmp_path: Path
) -> None:
    edit_one_file(one)
    delete_one_file(one)
    edited = next(one.glob("lib/python3.*/site-packages/greeting.py"))
    path = str(edited.relative_to(one))
    mine = edited.read_text()
    draft = bench.submission.draft(request_of(tmp_path))
    assert draft.remedy is not None
    assert draft.remedy.kind == "put-back"
    assert path in draft.remedy.files
    assert any(name.endswith("textwrap.py") for name in draft.remedy.files)
    refused = bench.tasks.wait(bench.tasks.start(Relock(name="one")).id, 60).result
    assert refused is not None
    assert refused.code == "not-lockable"
    assert path in {problem.field for problem in refused.problems}
    assert edited.read_text() == mine
    task = done(draft.remedy.request)
    kept = bench.layout.place("one").edited / task.id / path
    assert kept.read_text() == mine
    assert task.result is not None
    assert str(kept.parents[path.count("/")]) in task.result.text
    bench.own.collect(dry_run=False)
    assert kept.read_text() == mine
    record = run_job(bench, request_of(tmp_path))
    assert record.state == "succeeded", record.reason
    assert printed(record).split()[1] == "1.0"
    assert [action for action, _ in states(bench)] == ["create"]


def test_packages_and_edits_at_once(
    bench: Workbench, one: Path, done: Done, index: Path, tmp_path: Path
) -> None:
    pip(one, "install", "leaf")
    edit_one_file(one)
    site = next(one.glob("lib/python3.*/site-packages"))
    (site / "loose.py").write_text("here = True\n")
    draft = bench.submission.draft(request_of(tmp_path))
    assert draft.remedy is not None
    assert draft.remedy.kind == "both"
    assert {Path(name).name for name in draft.remedy.files} == {"greeting.py", "loose.py"}
    task = done(draft.remedy.request)
    kept = bench.layout.place("one").edited / task.id
    assert {path.name for path in kept.rglob("*.py")} == {"greeting.py", "loose.py"}
    record = run_job(
        bench, request_of(tmp_path, "import leaf, greeting; print(leaf.VERSION, greeting.VERSION)")
    )
    assert record.state == "succeeded", record.reason
    assert printed(record).split() == ["2.0", "1.0"]


def test_what_came_from_a_folder_cannot_be_locked(
    bench: Workbench, one: Path, tmp_path: Path
) -> None:
    site = next(one.glob("lib/python3.*/site-packages"))
    info = site / "local-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: local\nVersion: 1.0\n")
    (info / "direct_url.json").write_text('{"url": "file:///home/me/local", "dir_info": {}}')
    draft = bench.submission.draft(request_of(tmp_path))
    assert draft.remedy is not None
    assert draft.remedy.kind == "put-back"


def test_an_earlier_state_is_put_back(
    bench: Workbench, one: Path, done: Done, index: Path, tmp_path: Path
) -> None:
    old = bench.own.record("one").digest
    done(Alter(name="one", add=("greeting=2.0",)))
    pip(one, "install", "leaf")
    request = request_of(tmp_path, environment=f"one@{short(old)}")
    draft = bench.submission.draft(request)
    assert draft.remedy is not None
    assert draft.remedy.kind == "put-back"
    done(draft.remedy.request)
    assert bench.own.record("one").digest != old
    assert bench.submission.draft(request).ok


def test_nothing_to_lock(bench: Workbench, one: Path, tmp_path: Path) -> None:
    assert bench.submission.draft(request_of(tmp_path)).remedy is None
    ended = bench.tasks.wait(bench.tasks.start(Relock(name="one")).id, 60).result
    assert ended is not None
    assert ended.code == "nothing-to-lock"


def test_an_index_without_the_package_leaves_all_as_it_is(
    bench: Workbench, one: Path, index: Path, tmp_path: Path
) -> None:
    pip(one, "install", "leaf")
    for page in index.glob("leaf/*"):
        page.unlink()
    before = bench.layout.place("one").record.read_bytes()
    ended = bench.tasks.wait(bench.tasks.start(Relock(name="one")).id, 60).result
    assert ended is not None
    assert ended.state == "failed"
    assert "leaf" in ended.text
    assert bench.layout.place("one").record.read_bytes() == before
