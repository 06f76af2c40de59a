"""Own environments by name: rows, details, history, deleting, collecting, sharing."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.own.layout import Layout, short
from jupyter_mlinfn.environments.own.sharing import share
from jupyter_mlinfn.environments.own.states import find_state, held_still
from jupyter_mlinfn.environments.own.store import OwnEnvironments
from jupyter_mlinfn.model.environment_tasks import (
    Alter,
    Create,
    GcPlan,
    Restore,
    Share,
    Task,
    TaskRequest,
)
from jupyter_mlinfn.model.environments import Environment, EnvironmentUser
from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound, Unavailable
from jupyter_mlinfn.process.locks import acquire
from jupyter_mlinfn.workbench import Workbench

pytestmark = pytest.mark.slow

Done = Callable[[TaskRequest], Task]


def test_one_that_is_not_there_is_told_with_the_nearest_whatever_was_wanted(
    tmp_path: Path,
) -> None:
    layout = Layout.of(tmp_path)
    record = layout.place("training").record
    record.parent.mkdir(parents=True)
    record.touch()
    with pytest.raises(NotFound) as looked:
        find_state(layout, "trainin")
    with pytest.raises(NotFound) as changed, held_still(layout.place("trainin")):
        pass
    text = "You have no environment named 'trainin'. Did you mean 'training'?"
    assert [looked.value.text, changed.value.text] == [text, text]
    assert looked.value.hint == changed.value.hint
    assert "'mlinfn env list'" in (changed.value.hint or "")
    with pytest.raises(NotFound) as far:
        find_state(layout, "nope")
    assert far.value.text == "You have no environment named 'nope'."


@pytest.fixture
def tiny(bench: Workbench, done: Done) -> Path:
    """An environment that installs in no time; its prefix."""
    done(Create(name="tiny", packages=("python", "greeting=1.0")))
    return bench.own.state("tiny").prefix


@pytest.fixture
def sleeper(tiny: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs in ``tiny``, as a kernel does."""
    word = "/run/kernel-12345678-abcd.json"
    process = subprocess.Popen([tiny / "bin/python", "-c", "input()", word], stdin=subprocess.PIPE)
    yield process
    process.communicate()


class Jobs:
    """Jobs as the workbench would tell them."""

    def __init__(self, *jobs: EnvironmentUser) -> None:
        self.jobs = jobs
        self.silent = False

    def unfinished(self) -> tuple[EnvironmentUser, ...]:
        if self.silent:
            raise Unavailable("The index is locked.")
        return self.jobs


def row(bench: Workbench, name: str) -> Environment:
    (found,) = [one for one in bench.catalogue.list(measure=False).environments if one.name == name]
    return found


def kinds(plan: GcPlan) -> list[tuple[str, str]]:
    return [(item.kind, item.path) for item in plan.items if item.kind != "packages"]


def test_the_row_of_an_own_environment(bench: Workbench, tiny: Path) -> None:
    found, record = row(bench, "tiny"), bench.own.record("tiny")
    assert (found.kind, found.source, found.prefix) == ("own", "conda", str(tiny))
    assert (found.digest, found.size, found.files) == (record.digest, record.size, record.files)
    assert found.python == record.python
    assert found.made_by == record.made_by == bench.settings.user
    assert (found.states, found.packed, found.cuda, found.problem) == (1, False, None, None)
    assert found.packages == len(bench.own.packages("tiny"))
    assert (found.used_by_kernels, found.used_by_jobs) == (0, 0)


def test_the_prefix_is_listed_once_also_when_a_folder_of_the_settings_holds_it(
    bench: Workbench, tiny: Path
) -> None:
    bench.settings.environment_folders = [str(tiny.parent)]
    assert [
        r.kind for r in bench.catalogue.list(measure=False).environments if r.prefix == str(tiny)
    ] == ["own"]


def test_a_broken_record_is_shown_and_hides_no_other(bench: Workbench, tiny: Path) -> None:
    place = bench.layout.place("broken")
    place.folder.mkdir()
    place.record.write_text("{")
    assert "cannot be read" in (row(bench, "broken").problem or "")
    assert row(bench, "tiny").problem is None
    with pytest.raises(Unavailable):
        bench.own.delete("broken")
    bench.own.delete("broken", force=True)
    assert not place.folder.exists()


def test_files_that_are_gone_are_told(bench: Workbench, tiny: Path) -> None:
    tiny.rename(tiny.with_name("elsewhere"))
    found = row(bench, "tiny")
    assert found.problem == (
        f"Its files are gone. Install them again: mlinfn env undo tiny --to {tiny.name}"
    )


def test_history_states_and_their_papers(bench: Workbench, tiny: Path, done: Done) -> None:
    first = bench.own.record("tiny").digest
    done(Alter(name="tiny", add=("greeting=2.0",)))
    second = bench.own.record("tiny").digest
    states = bench.own.history("tiny").states
    assert [(s.digest, s.current, s.installed) for s in states] == [
        (second, True, True),
        (first, False, True),
    ]
    old = bench.own.details(f"tiny@{short(first)}")
    assert (old.digest, old.environment.prefix) == (first, str(tiny))
    assert "greeting 1.0" in {f"{p.name} {p.version}" for p in old.packages}
    assert "greeting 2.0" in {f"{p.name} {p.version}" for p in bench.own.details("tiny").packages}
    assert bench.own.lock(f"tiny@{first}").digest("linux-64") == first
    done(Restore(name="tiny", digest=first))
    assert [s.current for s in bench.own.history("tiny").states] == [True, False, False]


@pytest.mark.parametrize("name", ["none", "tiny@deadbeef00", "../tiny", "tiny@", "tiny@xyz"])
def test_names_that_name_nothing(bench: Workbench, tiny: Path, name: str) -> None:
    for ask in (bench.own.details, bench.own.lock, bench.own.papers):
        with pytest.raises((NotFound, InputError)):
            ask(name)


def test_a_kernel_that_runs_keeps_its_environment(
    bench: Workbench, tiny: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    found = row(bench, "tiny")
    assert found.used_by_kernels == 1
    assert found.last_used is not None
    (used,) = bench.own.details("tiny").used_by
    assert (used.kind, used.id) == ("kernel", "12345678-abcd")
    with pytest.raises(Conflict) as refused:
        bench.own.delete("tiny")
    assert refused.value.code == "environment-in-use"
    assert "kernel 12345678" in refused.value.text
    assert tiny.is_dir()
    assert sleeper.poll() is None
    bench.own.delete("tiny", force=True)
    assert not tiny.exists()


def test_a_kernel_in_an_older_state_counts(
    bench: Workbench, tiny: Path, sleeper: subprocess.Popen[bytes], done: Done
) -> None:
    done(Alter(name="tiny", add=("greeting=2.0",)))
    assert row(bench, "tiny").used_by_kernels == 1
    assert [use.id for use in bench.own.details("tiny").used_by] == ["12345678-abcd"]
    assert bench.own.details(f"tiny@{bench.own.record('tiny').digest}").used_by == ()
    plan = bench.own.collect(dry_run=False)
    assert ("prefix", str(tiny)) not in kinds(plan)
    assert [kept.name for kept in plan.kept] == [f"tiny@{tiny.name}"]
    assert tiny.is_dir()


def test_jobs_keep_their_state_and_silence_deletes_nothing(
    bench: Workbench, tiny: Path, done: Done
) -> None:
    old = bench.own.record("tiny").digest
    done(Alter(name="tiny", add=("greeting=2.0",)))
    jobs = Jobs(EnvironmentUser(job="j1", name="train", environment="tiny", digest=old))
    own = OwnEnvironments(bench.layout, users=jobs)
    assert [r.used_by_jobs for r in own.rows({})] == [1]
    with pytest.raises(Conflict, match="job train"):
        own.delete("tiny")
    assert kinds(own.collect(dry_run=False)) == []
    jobs.silent = True
    assert [r.used_by_jobs for r in own.rows({})] == [None]
    for ask in (lambda: own.delete("tiny"), lambda: own.collect(dry_run=False)):
        with pytest.raises(Unavailable):
            ask()
    assert tiny.is_dir()
    jobs.silent, jobs.jobs = False, ()
    assert kinds(own.collect(dry_run=False)) == [("prefix", str(tiny))]
    assert not tiny.exists()


def test_deleting_says_what_it_freed(bench: Workbench, tiny: Path) -> None:
    alone = tiny / "own.bin"
    alone.write_bytes(b"x" * 3_000_000)
    below = list(bench.layout.place("tiny").folder.rglob("*"))
    files = sum(path.is_symlink() or not path.is_dir() for path in below)
    shared = sum(p.stat().st_size for p in tiny.rglob("*") if p.is_file() and p.stat().st_nlink > 1)
    gone = bench.own.delete("tiny")
    assert gone.files == files
    assert 3_000_000 <= gone.freed < 3_000_000 + shared
    assert "is deleted" in gone.text
    assert list(bench.layout.own.iterdir()) == []
    with pytest.raises(NotFound):
        bench.own.delete("tiny")


def test_what_is_being_changed_is_neither_deleted_nor_collected(
    bench: Workbench, tiny: Path
) -> None:
    held = acquire(bench.layout.place("tiny").lock)
    assert held is not None
    for ask in (lambda: bench.own.delete("tiny"), lambda: bench.own.register("tiny")):
        with pytest.raises(Conflict) as refused:
            ask()
        assert refused.value.code == "environment-busy"
    assert [kept.name for kept in bench.own.collect(dry_run=False).kept] == ["tiny"]
    os.close(held)


def test_collecting_shows_first_and_then_removes(bench: Workbench, tiny: Path, done: Done) -> None:
    done(Alter(name="tiny", add=("greeting=2.0",)))
    place = bench.layout.place("tiny")
    (place.staging("dead") / "half").mkdir(parents=True)
    (bench.layout.own / ".deleted-old-1234").mkdir()
    cached = bench.layout.packages / "nobody-1.0-0"
    cached.mkdir()
    (cached / "file").write_bytes(b"x" * 5000)
    plan = bench.own.collect(dry_run=True)
    assert not plan.done
    assert sorted(kinds(plan)) == sorted(
        [
            ("staging", str(place.staging("dead"))),
            ("prefix", str(tiny)),
            ("staging", str(bench.layout.own / ".deleted-old-1234")),
        ]
    )
    assert str(cached) in {item.path for item in plan.items}
    assert plan.size >= 5000
    assert tiny.is_dir()
    assert cached.is_dir()
    done_plan = bench.own.collect(dry_run=False)
    assert done_plan.done
    assert {item.path for item in done_plan.items} == {item.path for item in plan.items}
    assert not any(Path(item.path).exists() for item in plan.items)
    assert bench.own.collect(dry_run=True).items == ()
    assert bench.own.state("tiny").prefix.is_dir()
    used = {item.name for item in bench.layout.packages.iterdir() if item.is_dir()}
    assert any(name.startswith("greeting-2.0") for name in used)
    assert not any(name.startswith("greeting-1.0") for name in used)


def test_undoing_brings_back_what_was_collected(bench: Workbench, tiny: Path, done: Done) -> None:
    done(Alter(name="tiny", add=("greeting=2.0",)))
    bench.own.collect(dry_run=False)
    done(Restore(name="tiny", digest=tiny.name))
    assert bench.own.state("tiny").prefix == tiny
    assert tiny.is_dir()


def test_sharing_makes_a_managed_environment_others_can_read(
    bench: Workbench, tiny: Path, tmp_path: Path, done: Done
) -> None:
    area = tmp_path / "area"
    area.mkdir()
    shared = done(Share(name="tiny", folder=str(area)))
    assert shared.result is not None
    assert shared.result.path == str(area / "tiny")
    assert "clone it" in shared.result.text
    for path in (area / "tiny").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path
    others = OwnEnvironments(bench.layout.of(tmp_path / "other"), managed=[str(area)])
    (found,) = others.rows({})
    record = bench.own.record("tiny")
    assert (found.kind, found.name, found.digest) == ("managed", "tiny", record.digest)
    assert others.lock("tiny") == bench.own.lock("tiny")
    assert others.details("tiny").packages == bench.own.details("tiny").packages
    done(Alter(name="tiny", add=("greeting=2.0",)))
    done(Share(name="tiny", folder=str(area)))
    assert others.details("tiny").digest == bench.own.record("tiny").digest != record.digest
    with pytest.raises(NotFound):
        others.lock(f"tiny@{short(record.digest)}")


def test_sharing_overwrites_nothing_else(bench: Workbench, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "thesis.tex").write_text("years of work")
    state = bench.own.state("tiny")
    with pytest.raises(Conflict):
        share(state, tmp_path, "0" * 16)
    with pytest.raises(InputError):
        share(state, tmp_path / "absent", "0" * 16)
    with pytest.raises(InputError):
        share(state, Path("relative"), "0" * 16)
    assert (tmp_path / "tiny" / "thesis.tex").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".tiny")] == []


def test_a_person_without_environments_pays_nothing(bench: Workbench) -> None:
    program = (
        "import sys; from jupyter_mlinfn.environments.own.store import OwnEnvironments\n"
        "print([m for m in ('rattler', 'conda_lock', 'yaml', 'psutil') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
    assert bench.own.rows({}) == []
