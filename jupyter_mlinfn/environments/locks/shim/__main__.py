"""The program: answer one call, then leave at once (rattler may crash a Python that tidies up)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rattler import Subdir
from rattler.exceptions import GatewayError, InstallerError, InvalidMatchSpecError, SolverError

from jupyter_mlinfn.environments.locks.certificates import SIGN, no_certificates
from jupyter_mlinfn.environments.locks.shim.calls import Call, parse
from jupyter_mlinfn.environments.locks.shim.prefixes import (
    entries,
    install_explicit,
    listing,
    record_of,
)
from jupyter_mlinfn.environments.locks.shim.solving import describe, find
from jupyter_mlinfn.model.errors import InputError, MlinfnError

_VERSION = "conda 26.7.1"
"""The conda whose answers these are; conda-lock looks for features by it."""

_KINDS: dict[type[Exception], str] = {
    SolverError: "unsolvable",
    GatewayError: "channel-unreachable",
    InvalidMatchSpecError: "bad-requirement",
    InstallerError: "install-failed",
}


def answer(call: Call, cache: Path | None) -> Any:
    """What standard output says, as JSON or text. Raises rattler's errors and ours."""
    platform = os.environ.get("CONDA_SUBDIR") or str(Subdir.current())
    if call.verb == "--version":
        return _VERSION
    if call.verb == "list" and call.prefix:
        return listing(Path(call.prefix))
    if call.verb == "create" and call.file and call.prefix:
        number = install_explicit(Path(call.file), Path(call.prefix), platform, cache)
        return f"{number} packages installed"
    if call.verb in {"create", "install"} and call.dry_run and call.prefix:
        return _solution(call, platform, cache)
    raise InputError(
        f"The solver for conda-lock has no answer to '{call.verb[:40]}'.",
        code="bad-call",
        hint="To install by hand, name the prefix: conda-lock install -p FOLDER.",
    )


def _solution(call: Call, platform: str, cache: Path | None) -> dict[str, Any]:
    """``install`` keeps what the prefix has, except what is named; ``create`` begins anew."""
    assert call.prefix is not None, "the caller looked"
    specs = list(call.specs)
    locked = []
    if call.verb == "install":
        named = {_name(spec) for spec in specs}
        kept = [meta for meta in entries(Path(call.prefix)) if meta["name"] not in named]
        locked = [record_of(meta) for meta in kept]
        specs += [str(meta["name"]) for meta in kept]
    found = [describe(r, platform) for r in find(call.channels, specs, platform, cache, locked)]
    return {
        "success": True,
        "dry_run": True,
        "prefix": call.prefix,
        "actions": {"FETCH": found, "LINK": found, "PREFIX": call.prefix},
    }


def _name(spec: str) -> str:
    bare = spec.rpartition("::")[2]
    for position, letter in enumerate(bare):
        if letter in " =<>!~[":
            return bare[:position].lower()
    return bare.lower()


def main(words: Sequence[str]) -> int:
    """Answer the call after ``--``; returns the exit code."""
    at = list(words).index("--")
    parser = argparse.ArgumentParser(prog="solver")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args(words[:at])
    call = parse(words[at + 1 :])
    if call.verb == "run" and call.prefix and call.specs[:2] == ("pip", "install"):
        python = str(Path(call.prefix) / "bin" / "python")
        os.execv(python, [python, "-I", "-m", *call.specs])  # noqa: S606
    try:
        said = answer(call, options.cache)
    except MlinfnError as error:
        return _failed(options.report, error.code, error.text)
    except tuple(_KINDS) as error:
        return _failed(options.report, _KINDS[type(error)], str(error))
    except ValueError as error:
        if str(error) != SIGN:
            raise
        told = no_certificates()
        return _failed(options.report, told.code, f"{told.text} {told.hint}")
    sys.stdout.write(said if isinstance(said, str) else json.dumps(said))
    sys.stdout.write("\n")
    return 0


def _failed(report: Path | None, kind: str, message: str) -> int:
    told = {"platform": os.environ.get("CONDA_SUBDIR", ""), "kind": kind, "message": message}
    if report is not None:
        report.write_text(json.dumps(told), encoding="utf-8")
    sys.stdout.write(json.dumps({"success": False, "error": kind, "message": message}) + "\n")
    return 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
