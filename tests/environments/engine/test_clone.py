"""Clones: of own environments, of states, of managed ones, of any conda prefix."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.engine.unpacked import look_through
from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.model.environment_tasks import Alter, Clone
from tests import parts
from tests.environments.engine.house import House, run

pytestmark = pytest.mark.slow


def shared_file(house: House, name: str) -> Path:
    (file,) = house.prefix(name).glob("lib/python3.*/site-packages/greeting.py")
    return file


def test_a_clone_is_the_same_and_runs_from_its_own_place(house: House) -> None:
    house.create("base", "python", "greeting <2")
    result = house.done(Clone(name="mine", source="base"))
    base, mine = house.record("base"), house.record("mine")
    assert mine.digest == base.digest
    assert mine.origin == f"base@{base.digest}"
    assert mine.history[0].text.startswith("Cloned from 'base'")
    assert house.versions("mine") == house.versions("base")
    greet = house.prefix("mine") / "bin" / "greet"
    assert run(greet) == "Hello from greeting 1.0"
    assert os.fsencode(house.prefix("mine")) in greet.read_bytes()
    assert result.change is not None
    assert result.change.download == 0
    assert result.change.note is not None


def test_a_state_of_the_past_is_cloned(house: House) -> None:
    house.create("base", "python", "greeting <2")
    old = house.record("base").digest
    house.done(Alter(name="base", update=("greeting>=2",)))
    house.done(Clone(name="mine", source=f"base@{old[7:19]}"))
    assert house.versions("mine")["greeting"] == "1.0"


def test_a_foreign_prefix_is_cloned(house: House, tmp_path: Path) -> None:
    house.create("base", "python", "greeting <2")
    foreign = tmp_path / "foreign"
    shutil.copytree(house.prefix("base"), foreign, symlinks=True)
    house.done(Clone(name="mine", source=str(foreign)))
    assert house.record("mine").digest == house.record("base").digest
    assert house.record("mine").origin == str(foreign)
    house.done(Alter(name="mine", remove=("greeting",)))
    assert "greeting" not in house.versions("mine")


def test_a_managed_environment_is_cloned_from_where_it_lies(house: House, tmp_path: Path) -> None:
    house.create("base", "python", "greeting <2")
    place = tmp_path / "managed"
    place.mkdir()
    house.place("base").folder.rename(place / "base")
    house.policy = house.policy.model_copy(update={"managed": (str(place),)})
    house.done(Clone(name="mine", source="base"))
    assert run(house.prefix("mine") / "bin" / "greet") == "Hello from greeting 1.0"


@pytest.mark.parametrize("source", ["/nowhere", "no-such", "../base", "base@00000000"])
def test_what_is_not_there_cannot_be_cloned(house: House, source: str) -> None:
    house.create("base", "greeting <2")
    result = house.do(Clone(name="mine", source=source))
    assert result.state == "failed"
    assert result.exit_code == 2
    assert not house.place("mine").folder.exists()


def test_shared_files_are_write_protected(house: House) -> None:
    house.create("base", "python", "greeting <2")
    house.done(Clone(name="mine", source="base"))
    shared = 0
    for path in house.prefix("mine").rglob("*"):
        facts = path.lstat()
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink > 1:
            shared += 1
            assert facts.st_mode & 0o222 == 0, path
        elif stat.S_ISDIR(facts.st_mode):
            assert facts.st_mode & 0o200, path
    if not shared:
        parts.missed("hard links", "this file system shares blocks or has no links")
        pytest.skip("this file system shares blocks or has no links")
    parts.took_part("hard links", f"{shared} files shared with the cache")


def test_an_edit_of_a_clone_does_not_reach_its_origin(house: House) -> None:
    """By a person who is not root: nobody's rights stop root from writing."""
    house.create("base", "python", "greeting <2")
    house.done(Clone(name="mine", source="base"))
    before = shared_file(house, "base").read_bytes()
    target = shared_file(house, "mine")
    argv = [sys.executable, "-I", "-c", EDIT, str(target)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root writes everywhere, and setpriv is not here")
        for folder in target.parents:
            if os.access(folder, os.X_OK) and folder.stat().st_uid == 0:
                folder.chmod(folder.stat().st_mode | 0o011)
        for name in ("base", "mine"):
            os.chown(shared_file(house, name), 65534, 65534)
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3"]
        argv += ["-I", "-c", EDIT, str(target)]
    told = subprocess.run(argv, capture_output=True, text=True)
    assert told.stdout.strip() == "PermissionError", told.stderr
    assert shared_file(house, "base").read_bytes() == before


def test_what_replaces_a_file_parts_the_two(house: House) -> None:
    """As editors and pip do it: a new file, renamed into place."""
    house.create("base", "python", "greeting <2")
    house.done(Clone(name="mine", source="base"))
    target = shared_file(house, "mine")
    draft = target.with_name("draft")
    draft.write_text("edited")
    draft.replace(target)
    assert "Says hello" in shared_file(house, "base").read_text()
    assert house.is_whole("base")
    assert not house.is_whole("mine")


def test_a_manifest_made_from_the_cache_is_that_of_the_files(house: House) -> None:
    """Linked files are looked at where they are linked from: it must come to the same."""
    house.create("base", "python", "greeting <2")
    house.done(Clone(name="mine", source="base"))
    prefix, listed = house.prefix("mine"), house.papers("mine") / "manifest.json"
    written = manifest.read(listed).entries
    assert len(written) > 1000
    for path, (mode, size, time, content) in written.items():
        facts = (prefix / path).lstat()
        if stat.S_ISLNK(facts.st_mode):
            assert content == f"->{(prefix / path).readlink()}"
            continue
        assert (mode, size) == (stat.S_IMODE(facts.st_mode), facts.st_size), path
        assert time == facts.st_mtime_ns, path
        assert content == sha256((prefix / path).read_bytes()).hexdigest(), path


def test_a_package_that_was_unpacked_anew_was_not_seen(new_house: House) -> None:
    """Its old files' inodes may belong to other files by then."""
    new_house.create("base", "greeting <2")
    cache = new_house.layout.packages
    device = cache.stat().st_dev
    (name,) = [path.name for path in cache.glob("greeting-*") if path.is_dir()]
    seen = look_through(cache, [name], device)
    assert seen.still_there()
    assert bool(seen.files) == (shared_file_count(cache / name) > 0)
    assert look_through(cache, [name], device + 1).files == {}
    (cache / name).rename(cache / "aside")
    shutil.copytree(cache / "aside", cache / name)
    assert not seen.still_there()


def shared_file_count(folder: Path) -> int:
    return sum(path.is_file() and path.stat().st_nlink > 1 for path in folder.rglob("*"))


EDIT = """
import sys
try:
    open(sys.argv[1], "a").write("# edited")
except OSError as error:
    print(type(error).__name__)
"""


def test_an_edit_by_root_does_not_come_with_the_next_clone(new_house: House) -> None:
    """root may write what is protected; the cache shares the file and is then spoiled."""
    new_house.create("base", "python", "greeting <2")
    target = shared_file(new_house, "base")
    if target.stat().st_nlink < 2:
        pytest.skip("this file system shares blocks or has no links")
    mode = target.stat().st_mode
    text = target.read_text()
    target.chmod(0o644)
    target.write_text(text.replace("Hello", "HELLO"))  # of the same size, in place
    target.chmod(mode)
    new_house.done(Clone(name="mine", source="base"))
    assert shared_file(new_house, "mine").read_text() == text
    assert new_house.is_whole("mine")
    assert not new_house.is_whole("base")
    assert shared_file(new_house, "mine").stat().st_mode & 0o222 == 0
