"""Locking for several platforms with conda-lock, whose solver is ours unless one is configured.

conda-lock runs as a program of its own, in a temporary folder; nothing of it is loaded here. It
gets its mapping between names of conda and pip from a file of ours, so that it asks the network
for packages only. The lock that comes back is read and checked like any other.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.failures import explain, without_solver
from jupyter_mlinfn.environments.locks.files import dump_lock, read_lock
from jupyter_mlinfn.environments.locks.requirements import (
    channel_named,
    check_channel,
    conda_name,
)
from jupyter_mlinfn.environments.locks.wishes import Wish
from jupyter_mlinfn.model.errors import InputError, PartMissing
from jupyter_mlinfn.process.run import run

PLATFORMS = (
    "linux-64", "linux-aarch64", "linux-ppc64le", "linux-s390x", "linux-riscv64",
    "osx-64", "osx-arm64", "win-64", "win-arm64",
)  # fmt: skip
_PASSED_ON = (
    "HOME", "PATH", "LANG", "LC_ALL", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "RATTLER_AUTH_FILE",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip
_DEADLINE = 600.0
_SHIM = "jupyter_mlinfn.environments.locks.shim"
_LAUNCHER = "mlinfn-solver"
"""conda-lock speaks another dialect to programs called mamba… or …micromamba."""


@dataclass(frozen=True)
class Sources:
    """What to lock from and with.

    ``channels`` are used where the wish names none; ``pip_indexes`` empty means PyPI.
    ``cuda`` is the driver's version to solve for, ``None``: without a GPU. ``cache`` is a folder
    for what channels offer (``None``: rattler's own). ``program`` is a conda, mamba or micromamba
    that solves in place of ours. ``scratch`` is the folder to work below (``None``: the system's).
    """

    channels: tuple[str, ...]
    pip_indexes: tuple[str, ...] = ()
    cuda: str | None = None
    cache: Path | None = None
    program: Path | None = None
    scratch: Path | None = None


def lock_platforms(
    wish: Wish,
    platforms: Sequence[str],
    sources: Sources,
    *,
    before: Lock | None = None,
    update: Sequence[str] = (),
    deadline: float = _DEADLINE,
) -> Lock:
    """The lock of ``wish`` for every one of ``platforms``; at most ``deadline`` seconds.

    ``update`` names the only packages that may become newer than in the lock ``before``.

    Raises :class:`InputError` when the packages do not go together or cannot be locked,
    :class:`PartMissing` without conda-lock or the configured program, and :class:`Unavailable`
    when a channel or index is silent or the deadline is over.
    """
    channels = _channels(wish, sources)
    _check_platforms(platforms)
    _check(wish, channels, sources, before, update)
    with tempfile.TemporaryDirectory(prefix="mlinfn-lock-", dir=sources.scratch) as name:
        folder = Path(name)
        _write_inputs(folder, wish, channels, sources, before if update else None)
        argv = _argv(folder, platforms, sources, update)
        ended = run(argv, deadline=deadline, env=_environment(folder), cwd=folder)
        report = folder / "report.json"
        if report.exists():
            raise explain(json.loads(report.read_bytes()), channels)
        if ended.returncode != 0:
            said = ended.stderr.decode("utf-8", "replace")
            raise without_solver(said, pip=bool(wish.pip), program=sources.program)
        text = (folder / "conda-lock.yml").read_text(encoding="utf-8")
    lock = read_lock(text, where="The new lock")
    wish.check_hashes(lock)
    return lock


def _channels(wish: Wish, sources: Sources) -> tuple[str, ...]:
    """Those asked for, and after them those that single requirements name.

    Folders become ``file://`` addresses: conda-lock takes a bare path for a channel's name.
    """
    named = [channel for channel in map(channel_named, wish.conda) if channel]
    checked = [check_channel(c) for c in (*(wish.channels or sources.channels), *named)]
    return tuple(dict.fromkeys(Path(c).as_uri() if c.startswith("/") else c for c in checked))


def _check_platforms(platforms: Sequence[str]) -> None:
    unknown = [platform for platform in platforms if platform not in PLATFORMS]
    if unknown or not platforms:
        told = f"There is no platform {', '.join(unknown)[:200]}." if unknown else "No platform."
        raise InputError(
            told,
            code="unknown-platform",
            field="platforms",
            hint=f"Known are: {', '.join(PLATFORMS)}.",
        )


def _check(
    wish: Wish,
    channels: tuple[str, ...],
    sources: Sources,
    before: Lock | None,
    update: Sequence[str],
) -> None:
    if importlib.util.find_spec("conda_lock") is None:
        raise PartMissing(
            "conda-lock is not installed, and it writes locks for several platforms.",
            code="program-missing",
            hint="Install it beside this package: pip install 'conda-lock>=4,<5'.",
        )
    if sources.program is not None and not os.access(sources.program, os.X_OK):
        raise PartMissing(
            f"The configured program {sources.program} is not there or cannot be run.",
            code="program-missing",
            hint="Tell your administrators; the setting names a conda, mamba or micromamba.",
        )
    if wish.pip and "python" not in {conda_name(spec) for spec in wish.conda}:
        raise InputError(
            "Packages of pip need python among the conda packages.",
            code="python-missing",
            field="packages",
            hint="Add python, for example python=3.12.",
        )
    if update:
        _check_update(channels, before, update)


def _check_update(channels: tuple[str, ...], before: Lock | None, update: Sequence[str]) -> None:
    there = {package.name for package in before.packages} if before else set()
    if missing := sorted(set(update) - there):
        raise InputError(
            f"{', '.join(missing)[:200]} cannot be updated: the lock does not have it.",
            code="not-installed",
            field="update",
            hint="Add it to the packages instead.",
        )
    assert before is not None, "an empty lock misses everything"
    if before.channels != channels:
        raise InputError(
            "Single packages cannot be updated when the channels are others than in the lock.",
            code="channels-differ",
            field="channels",
            hint=f"The lock has: {', '.join(before.channels)}. Lock everything anew.",
        )
    if any(package.manager == "conda" and not package.md5 for package in before.packages):
        raise InputError(
            "Single packages of this lock cannot be updated: conda-lock needs MD5 hashes, and "
            "some packages have none.",
            code="bad-lock",
            hint="Lock everything anew.",
        )


def _write_inputs(
    folder: Path, wish: Wish, channels: tuple[str, ...], sources: Sources, before: Lock | None
) -> None:
    """``environment.yml`` and what goes with it; the files name no user's text as options."""
    dependencies: list[Any] = list(wish.conda)
    document: dict[str, Any] = {"channels": list(channels), "dependencies": dependencies}
    if wish.pip:
        dependencies.append({"pip": list(wish.pip)})
        document["pip-repositories"] = list(sources.pip_indexes)
        document["allow-pypi-requests"] = not sources.pip_indexes
    (folder / "environment.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    (folder / "names.json").write_text("{}", encoding="utf-8")
    if before is not None:
        (folder / "conda-lock.yml").write_text(dump_lock(before), encoding="utf-8")
    if sources.program is None:
        words = [sys.executable, "-I", "-m", _SHIM, f"--report={folder / 'report.json'}"]
        if sources.cache is not None:
            words.append(f"--cache={sources.cache.absolute()}")
        launcher = folder / _LAUNCHER
        launcher.write_text(f'#!/bin/sh\nexec {shlex.join(words)} -- "$@"\n', encoding="utf-8")
        launcher.chmod(0o700)


def _argv(
    folder: Path, platforms: Sequence[str], sources: Sources, update: Sequence[str]
) -> list[str]:
    program = sources.program or folder / _LAUNCHER
    return [
        sys.executable, "-I", "-m", "conda_lock", "lock", "--log-level=ERROR",
        f"--conda={program}", "--file=environment.yml", "--lockfile=conda-lock.yml",
        f"--pypi_to_conda_lookup_file={(folder / 'names.json').as_uri()}",
        *([f"--with-cuda={sources.cuda}"] if sources.cuda else ["--without-cuda"]),
        *(f"--platform={platform}" for platform in platforms),
        *(f"--update={name}" for name in update),
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    """An allow-list; conda-lock looks through all variables for passwords to write down.

    Its temporary folders go into ours, which is removed also when it was killed.
    """
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **passed,
        "TMPDIR": str(folder),
        "PYTHONUTF8": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
