"""Packages of pip: resolved by pip itself against the staged prefix, locked by address and hash.

Only wheels: building from source runs code of the package and fetches tools that no lock names.
pip writes the path of the staged interpreter into scripts; they are given the final one.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlinfn.environments.engine.scripts import rename_prefix
from jupyter_mlinfn.environments.locks.document import LockedPackage
from jupyter_mlinfn.environments.locks.requirements import check_pip, pip_name
from jupyter_mlinfn.model.errors import InputError, MlinfnError, PartMissing, Refused, Unavailable
from jupyter_mlinfn.process.redaction import redact
from jupyter_mlinfn.process.run import Completed, run

_LONGEST = 1800.0
"""Seconds for pip to resolve, or to fetch and install."""
_NOT_FOUND = re.compile(r"No matching distribution found for (?P<what>[^\n]+)")
_NETWORK = re.compile(
    r"name resolution|Connection refused|Network is unreachable|timed out|SSLError|ProxyError", re.I
)
_DETAIL = re.compile(r"^(?:ERROR|error): (?P<text>.+)$", re.M)


@dataclass(frozen=True)
class Pip:
    """pip for the prefix ``prefix``. ``indexes`` empty: those of the person's configuration.

    ``scratch`` is a folder of the task for pip's files.
    """

    prefix: Path
    scratch: Path
    indexes: tuple[str, ...] = ()

    def resolve(
        self, wanted: Sequence[str], kept: Sequence[LockedPackage], platform: str
    ) -> tuple[LockedPackage, ...]:
        """What pip would install for ``wanted``, keeping the versions of ``kept`` if it can.

        What conda installed counts as there. Raises :class:`InputError` when pip finds no
        solution, :class:`Unavailable` when the index is silent.
        """
        requirements = self._write("wanted.txt", (check_pip(text) for text in wanted))
        constraints = self._write("kept.txt", (f"{p.name}=={p.version}" for p in kept))
        report = self.scratch / "pip-report.json"
        argv = ["install", "--dry-run", "--report", str(report), "--only-binary", ":all:"]
        argv += [*self._index(), "--requirement", str(requirements)]
        done = self._pip([*argv, "--constraint", str(constraints)])
        if done.returncode and kept:
            done = self._pip(argv)
        if done.returncode:
            raise _failure(done, wanted)
        items = json.loads(report.read_bytes())["install"]
        return tuple(sorted((_locked(item, platform) for item in items), key=lambda p: p.name))

    def install(self, packages: Sequence[LockedPackage], final_prefix: str) -> None:
        """Install exactly ``packages``; their scripts name ``final_prefix``.

        Raises :class:`Refused` for a file that has another hash or is no wheel.
        """
        for package in packages:
            if not package.file_name.endswith(".whl") or not package.sha256:
                raise _not_a_wheel(package)
        lines = [f"{p.name} @ {p.url} --hash=sha256:{p.sha256}" for p in packages]
        requirements = self._write("locked.txt", lines)
        argv = ["install", "--no-deps", "--require-hashes", "--no-index", "--no-compile"]
        done = self._pip([*argv, "--no-warn-script-location", "--requirement", str(requirements)])
        if done.returncode:
            raise _failure(done, [package.name for package in packages])
        rename_prefix(self.prefix, final_prefix)

    def _write(self, name: str, lines: Iterable[str]) -> Path:
        path = self.scratch / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def _index(self) -> list[str]:
        if not self.indexes:
            return []
        words = ["--index-url", self.indexes[0]]
        for index in self.indexes[1:]:
            words += ["--extra-index-url", index]
        return words

    def _pip(self, arguments: Sequence[str]) -> Completed:
        python = self.prefix / "bin" / "python"
        if not python.exists():
            raise InputError(
                "Packages of pip need Python, and this environment has none.",
                code="no-python",
                field="pip",
                hint="Add python to the packages.",
            )
        program = [str(python), "-I", "-B", "-m", "pip"]
        if not any(self.prefix.glob("lib/python*/site-packages/pip/__main__.py")):
            program = [sys.executable, "-I", "-B", "-m", "pip", "--python", str(python)]
        environ = {
            **os.environ,
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_COLOR": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return run([*program, *arguments], deadline=_LONGEST, env=environ, cwd=self.scratch)


def _locked(item: dict[str, Any], platform: str) -> LockedPackage:
    info, metadata = item["download_info"], item["metadata"]
    archive = info.get("archive_info") or {}
    sha256 = (archive.get("hashes") or {}).get("sha256")
    url, name = info["url"], metadata["name"]
    if not sha256:
        raise Refused(
            f"The index gives no SHA-256 for {name}: it cannot be locked. Nothing was changed.",
            code="no-hash",
            field="pip",
            hint="Take it from another index, or from a conda channel.",
        )
    requires = metadata.get("requires_dist") or ()
    plain = [text for text in requires if "extra ==" not in text and "extra==" not in text]
    return LockedPackage(
        name=pip_name(name),
        version=metadata["version"],
        manager="pip",
        platform=platform,
        url=url,
        sha256=sha256,
        dependencies={pip_name(text): _specifier(text) for text in plain},
    )


def _specifier(text: str) -> str:
    from packaging.requirements import Requirement

    return str(Requirement(text).specifier)


def _not_a_wheel(package: LockedPackage) -> Refused:
    what = "has no hash" if not package.sha256 else "would have to be built from source"
    return Refused(
        f"The pip package {package.name} {package.version} {what}: it is not installed. "
        "Nothing was changed.",
        code="not-a-wheel",
        field="pip",
        hint="Take a version that has a wheel for this Python, or a conda package.",
    )


def _failure(done: Completed, wanted: Sequence[str]) -> MlinfnError:
    said = redact((done.stderr + b"\n" + done.stdout).decode("utf-8", "replace"))
    what = ", ".join(wanted[:4]) + (f" and {len(wanted) - 4} more" if len(wanted) > 4 else "")
    details = [found["text"] for found in _DETAIL.finditer(said)]
    detail = details[-1].rstrip(".") if details else said.strip().splitlines()[-1:] or ""
    if "No module named pip" in said:
        return PartMissing(
            "pip is neither in the environment nor beside this server. Nothing was changed.",
            code="program-missing",
            hint="Add the package pip to the environment.",
        )
    if "DO NOT MATCH THE HASHES" in said or "HashMismatch" in said:
        return Refused(
            f"A package of pip is not the one that was recorded ({what}): its hash differs. "
            "It was not installed; the environment is as it was before.",
            code="wrong-hash",
            field="pip",
            hint="The index was changed or the file is damaged.",
        )
    if _NETWORK.search(said):
        return Unavailable(
            f"The index of pip cannot be reached ({what}). Nothing was changed.",
            code="index-unreachable",
            field="pip",
            hint="Look whether the network is there, then try again.",
        )
    if found := _NOT_FOUND.search(said):
        return InputError(
            f"pip finds no wheel of {found['what'].strip()} for this Python. Nothing was changed.",
            code="unknown-package",
            field="pip",
            hint="Look at the name and the version; packages without a wheel are not built here.",
        )
    return InputError(
        f"pip cannot install {what}: {detail}. Nothing was changed.",
        code="unsolvable",
        field="pip",
        hint="Ask for other versions, or for one package at a time.",
    )
