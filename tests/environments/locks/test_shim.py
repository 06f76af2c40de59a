"""The solver for conda-lock: what it answers, and installing a lock of ours by conda-lock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.environments.locks.condalock import Sources, lock_platforms
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import dump_lock
from jupyter_mlinfn.environments.locks.shim.calls import Call, parse
from jupyter_mlinfn.environments.locks.wishes import Wish

pytestmark = pytest.mark.slow

SHIM = [sys.executable, "-I", "-m", "jupyter_mlinfn.environments.locks.shim"]


def ask(folder: Path, *words: str, subdir: str = "linux-64") -> subprocess.CompletedProcess[str]:
    options = [f"--report={folder / 'report.json'}", f"--cache={folder / 'cache'}"]
    return subprocess.run(
        [*SHIM, *options, "--", *words],
        capture_output=True, text=True, check=False,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "CONDA_SUBDIR": subdir},
    )  # fmt: skip


def launcher(folder: Path) -> Path:
    path = folder / "solver"
    path.write_text(f'#!/bin/sh\nexec {" ".join(SHIM)} --cache={folder}/cache -- "$@"\n')
    path.chmod(0o700)
    return path


def install(lock: Lock, folder: Path, prefix: Path) -> subprocess.CompletedProcess[str]:
    """``conda-lock install`` of ``lock`` as we write it."""
    file = folder / "conda-lock.yml"
    file.write_text(dump_lock(lock), encoding="utf-8")
    argv = [sys.executable, "-m", "conda_lock", "install", f"--conda={launcher(folder)}",
            f"--prefix={prefix}", str(file)]  # fmt: skip
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def in_prefix(prefix: Path, code: str) -> str:
    argv = [str(prefix / "bin" / "python"), "-I", "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def test_calls_are_read_leniently() -> None:
    words = "create --what -x --prefix=/p --dry-run -c a --channel b --file f.txt numpy>=2 b"
    assert parse(words.split()) == Call(
        "create", "/p", "f.txt", ("a", "b"), ("numpy>=2", "b"), dry_run=True
    )
    run = parse(["run", "-p", "/p", "pip", "install", "--no-deps", "-r", "/f"])
    assert run.specs == ("pip", "install", "--no-deps", "-r", "/f")
    assert parse([]).verb == ""
    assert parse(["create", "--prefix"]).prefix == ""


def test_the_version_is_told(tmp_path: Path) -> None:
    assert ask(tmp_path, "--version").stdout == "conda 26.7.1\n"


@pytest.mark.parametrize(
    "words", [["info", "--json"], ["create", "-n", "x", "--file", "y"], ["config"], ["rm", "-rf"]]
)
def test_other_calls_are_refused_in_words(words: list[str], tmp_path: Path) -> None:
    ended = ask(tmp_path, *words)
    assert ended.returncode == 1
    assert "has no answer" in json.loads(ended.stdout)["message"]
    assert "Traceback" not in ended.stderr


def test_a_solution_says_everything_conda_lock_needs(small_channel: Path, tmp_path: Path) -> None:
    ended = ask(
        tmp_path, "create", "--prefix", str(tmp_path / "p"), "--dry-run", "--json",
        "--override-channels", "--channel", small_channel.as_uri(), "greeting", subdir="osx-arm64",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    actions = json.loads(ended.stdout)["actions"]
    assert actions["FETCH"] == actions["LINK"]
    records: dict[str, dict[str, Any]] = {record["name"]: record for record in actions["FETCH"]}
    greeting = records["greeting"]
    assert greeting["fn"] == "greeting-2.0-pyhd_0.conda"
    assert greeting["dist_name"] == "greeting-2.0-pyhd_0"
    assert greeting["url"] == f"{greeting['base_url']}/noarch/{greeting['fn']}"
    assert len(greeting["md5"]) == 32
    assert greeting["depends"] == ["python"]
    assert records["python"]["subdir"] == "osx-arm64"
    assert not (tmp_path / "p").exists()


def test_what_cannot_be_solved_is_written_down(small_channel: Path, tmp_path: Path) -> None:
    ended = ask(
        tmp_path, "create", "-p", "p", "--dry-run", "--json", "-c", small_channel.as_uri(), "nope"
    )
    assert ended.returncode == 1
    said = json.loads(ended.stdout)
    assert said["success"] is False
    report = json.loads((tmp_path / "report.json").read_text())
    assert report == {"platform": "linux-64", "kind": "unsolvable", "message": said["message"]}


@pytest.fixture
def lock(small_channel: Path, tmp_path: Path) -> Lock:
    sources = Sources((small_channel.as_uri(),), cache=tmp_path / "cache")
    wish = Wish(conda=("python", "greeting"))
    return lock_platforms(wish, ["linux-64", "osx-arm64"], sources)


def test_a_lock_of_ours_is_installed_by_conda_lock(lock: Lock, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    ended = install(lock, tmp_path, prefix)
    assert ended.returncode == 0, ended.stderr
    assert in_prefix(prefix, "import greeting; print(greeting.VERSION)") == "2.0"
    listed = ask(tmp_path, "list", "--no-pip", "-p", str(prefix), "--json")
    assert listed.stderr == ""
    told = {entry["name"]: entry for entry in json.loads(listed.stdout)}
    assert told["greeting"]["dist_name"] == "greeting-2.0-pyhd_0"
    assert set(told) == {package.name for package in lock.of("linux-64")}


@pytest.mark.slow
def test_packages_of_pip_are_installed_too(
    small_channel: Path, pip_index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    sources = Sources((small_channel.as_uri(),), pip_indexes=(pip_index,), cache=tmp_path / "cache")
    lock = lock_platforms(Wish(conda=("python", "pip"), pip=("tinyone",)), ["linux-64"], sources)
    prefix = tmp_path / "prefix"
    ended = install(lock, tmp_path, prefix)
    assert ended.returncode == 0, ended.stderr
    assert in_prefix(prefix, "import tinyone, tinytwo; print(tinytwo.VERSION)") == "2.0"


@pytest.mark.slow
@pytest.mark.parametrize("over_http", [False, True])
def test_a_package_with_another_hash_is_not_installed(
    over_http: bool, lock: Lock, small_channel: Path, served: Callable[[Path], str], tmp_path: Path
) -> None:
    address = served(small_channel) if over_http else small_channel.as_uri()
    packages = [
        package.model_copy(
            update={
                "url": package.url.replace(small_channel.as_uri(), address),
                "md5": "0" * 32 if package.name == "greeting" else package.md5,
            }
        )
        for package in lock.packages
    ]
    wrong = Lock.made_of([address], lock.platforms, packages)
    prefix = tmp_path / "prefix"
    ended = install(wrong, tmp_path, prefix)
    assert ended.returncode != 0
    assert not list(prefix.glob("conda-meta/greeting-*"))
