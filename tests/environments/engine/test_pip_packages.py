"""Packages of pip: resolved by pip, locked by hash, installed as locked."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.engine.scripts import rename_prefix
from jupyter_mlinfn.environments.locks.document import LockedPackage
from jupyter_mlinfn.model.environment_tasks import Alter, Clone, Create, Restore
from tests.environments.engine.house import PLATFORM, House, run
from tests.environments.engine.indexes import wheel, write_index

pytestmark = pytest.mark.slow


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """``lhc_tool`` 1.0 and 2.0, which need ``lhc_base``; one needs humanize of conda."""
    folder = tmp_path / "index"
    made = [
        wheel(folder, "lhc_base", "1.0"),
        wheel(folder, "lhc_base", "1.5"),
        wheel(folder, "lhc_tool", "1.0", "lhc-base>=1", "humanize"),
        wheel(folder, "lhc_tool", "2.0", "lhc-base>=1", "humanize"),
        wheel(folder, "lhc_old", "1.0", "lhc-base<1.5"),
    ]
    return write_index(folder, made)


@pytest.fixture
def pip_house(house: House, index: Path, served: Callable[[Path], str]) -> House:
    """A person whose pip asks that index alone."""
    house.policy = house.policy.model_copy(update={"pip_indexes": (served(index),)})
    return house


def pip_of(house: House, name: str) -> dict[str, LockedPackage]:
    return {p.name: p for p in house.lock(name).of(PLATFORM) if p.manager == "pip"}


def test_pip_packages_are_locked_by_address_and_hash(pip_house: House) -> None:
    pip_house.done(Create(name="mine", packages=("python", "pip", "humanize"), pip=("lhc-tool",)))
    locked = pip_of(pip_house, "mine")
    assert {name: package.version for name, package in locked.items()} == {
        "lhc-base": "1.5", "lhc-tool": "2.0",
    }  # fmt: skip
    assert all(package.sha256 and package.url.endswith(".whl") for package in locked.values())
    # conda's humanize is good enough for pip
    assert "humanize" in pip_house.versions("mine")
    assert run(pip_house.prefix("mine") / "bin" / "lhc_tool-tells") == "lhc_tool 2.0"
    assert pip_house.is_whole("mine")


def test_no_script_names_the_staging_folder(pip_house: House) -> None:
    pip_house.done(Create(name="mine", packages=("python", "humanize"), pip=("lhc-tool",)))
    script = pip_house.prefix("mine") / "bin" / "lhc_tool-tells"
    assert b"staging-" not in script.read_bytes()
    assert str(pip_house.prefix("mine")).encode() in script.read_bytes()
    for path in pip_house.prefix("mine").rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"staging-" not in path.read_bytes(), path


def test_clones_and_ways_back_keep_them(pip_house: House) -> None:
    pip_house.done(Create(name="base", packages=("python", "humanize"), pip=("lhc-tool==1.0",)))
    first = pip_house.record("base").digest
    pip_house.done(Clone(name="mine", source="base"))
    assert pip_house.record("mine").digest == first
    assert run(pip_house.prefix("mine") / "bin" / "lhc_tool-tells") == "lhc_tool 1.0"
    pip_house.done(Alter(name="base", remove=("lhc-tool",)))
    assert pip_of(pip_house, "base") == {}
    pip_house.done(Restore(name="base", digest=first))
    assert set(pip_of(pip_house, "base")) == {"lhc-base", "lhc-tool"}


def test_what_is_locked_stays_when_more_is_added(pip_house: House) -> None:
    pip_house.done(Create(name="mine", packages=("python", "humanize"), pip=("lhc-base==1.0",)))
    pip_house.done(Alter(name="mine", add_pip=("lhc-tool",)))
    locked = pip_of(pip_house, "mine")
    assert (locked["lhc-base"].version, locked["lhc-tool"].version) == ("1.0", "2.0")
    pip_house.done(Alter(name="mine", add=("greeting",)))
    assert set(pip_of(pip_house, "mine")) == {"lhc-base", "lhc-tool"}


def test_one_is_updated_by_name(pip_house: House) -> None:
    pip_house.done(Create(name="mine", packages=("python", "humanize"), pip=("lhc-tool<2",)))
    pip_house.done(Alter(name="mine", update=("lhc-tool>=1",)))
    assert pip_of(pip_house, "mine")["lhc-tool"].version == "2.0"


def test_what_pip_cannot_find_or_fit(pip_house: House) -> None:
    unknown = pip_house.do(Create(name="a", packages=("python",), pip=("lhc-nothing",)))
    assert (unknown.code, unknown.exit_code) == ("unknown-package", 2)
    assert "lhc-nothing" in unknown.text
    both = Create(name="b", packages=("python", "humanize"), pip=("lhc-old", "lhc-base>=1.5"))
    conflict = pip_house.do(both)
    assert (conflict.code, conflict.exit_code) == ("unsolvable", 2)
    for name in ("a", "b"):
        assert not pip_house.place(name).folder.exists()


def test_an_index_that_is_silent(house: House) -> None:
    house.policy = house.policy.model_copy(update={"pip_indexes": ("http://127.0.0.1:9/simple",)})
    result = house.do(Create(name="mine", packages=("python",), pip=("lhc-tool",)))
    assert (result.code, result.exit_code) == ("index-unreachable", 3)


def test_a_wheel_that_was_exchanged_since(pip_house: House, index: Path) -> None:
    pip_house.done(Create(name="base", packages=("python",), pip=("lhc-base==1.0",)))
    (index / "lhc_base-1.0-py3-none-any.whl").unlink()
    wheel(index, "lhc_base", "1.0", "humanize")
    result = pip_house.do(Clone(name="mine", source="base"))
    assert (result.code, result.exit_code) == ("wrong-hash", 4)
    assert not pip_house.place("mine").folder.exists()


def test_a_requirements_file_makes_an_environment(pip_house: House) -> None:
    text = "lhc-tool==1.0  # the one we trust\nhumanize\n"
    pip_house.done(Create(name="mine", packages=("humanize",), file_name="requirements.txt",
                          file_text=text))  # fmt: skip
    assert {"python", "pip", "humanize"} <= pip_house.versions("mine").keys()
    assert pip_of(pip_house, "mine")["lhc-tool"].version == "1.0"


def test_hashes_of_a_requirements_file_are_held_against_the_index(pip_house: House) -> None:
    text = f"lhc-base==1.0 --hash=sha256:{'0' * 64}\n"
    result = pip_house.do(Create(name="mine", file_name="requirements.txt", file_text=text))
    assert (result.code, result.exit_code) == ("hash-differs", 4)


def test_what_pip_put_into_a_foreign_prefix_is_cloned(
    pip_house: House, index: Path, tmp_path: Path
) -> None:
    pip_house.create("base", "python", "pip", "humanize")
    foreign = pip_house.prefix("base").rename(tmp_path / "foreign")
    wheels = sorted(index.glob("lhc_base-1.0*"))
    run(foreign / "bin" / "python", "-m", "pip", "install", "--no-index", *wheels)
    result = pip_house.done(Clone(name="mine", source=str(foreign)))
    assert "lhc_base==1.0" in result.text
    assert pip_of(pip_house, "mine")["lhc-base"].version == "1.0"


def test_a_preview_with_pip_leaves_nothing(pip_house: House) -> None:
    asked = Create(name="mine", packages=("python", "humanize"), pip=("lhc-tool",), preview=True)
    result = pip_house.done(asked)
    assert result.change is not None
    assert {c.name for c in result.change.added if c.manager == "pip"} == {"lhc-base", "lhc-tool"}
    assert not pip_house.place("mine").folder.exists()


@pytest.mark.parametrize("deep", [False, True])
def test_scripts_get_the_final_interpreter(tmp_path: Path, deep: bool) -> None:
    """Linux reads 127 bytes of the first line; a longer path goes through ``sh``."""
    staging = tmp_path / "staging"
    (staging / "bin").mkdir(parents=True)
    final = str(tmp_path / ("d" * 150 if deep else "final"))
    body = "import sys\nprint(sys.argv[1])\n"
    script = staging / "bin" / "tells"
    script.write_text(f"#!{staging}/bin/python3.11\n{body}")
    script.chmod(0o755)
    twin = staging / "twin"
    twin.hardlink_to(script)
    long = staging / "bin" / "long"
    head = f"#!/bin/sh\n'''exec' \"{staging}/bin/python3.11\" \"$0\" \"$@\"\n' '''\n"
    long.write_text(head + body)
    other = staging / "bin" / "other"
    other.write_text(f"#!/bin/sh\necho {staging}/bin/\n")
    record = staging / "lib" / "python3.11" / "site-packages" / "tells-1.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    record.write_text("../../../bin/tells,sha256=old,12\n")
    rename_prefix(staging, final)
    Path(final, "bin").mkdir(parents=True)
    Path(final, "bin", "python3.11").symlink_to("/usr/bin/python3")
    for path in (script, long):
        assert str(staging) not in path.read_text()
        assert path.read_text().endswith(body)
    if not deep:
        assert script.read_text().startswith(f"#!{final}/bin/python3.11\n")
    assert script.stat().st_mode & 0o777 == 0o755
    if Path("/usr/bin/python3").exists():
        assert run(script, "word") == "word"
    (recorded,) = record.read_text().splitlines()
    digest = base64.urlsafe_b64encode(hashlib.sha256(script.read_bytes()).digest()).decode()
    assert recorded == f"../../../bin/tells,sha256={digest.rstrip('=')},{script.stat().st_size}"
    assert str(staging) in twin.read_text(), "a file that others share is not written in place"
