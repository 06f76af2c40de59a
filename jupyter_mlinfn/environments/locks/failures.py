"""Why conda-lock did not lock, in words: its traceback is for its developers, not for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_mlinfn.environments.locks.conflicts import not_offered, reason, requirements
from jupyter_mlinfn.model.errors import (
    InputError,
    MlinfnError,
    PartMissing,
    Problem,
    Refused,
    Unavailable,
)
from jupyter_mlinfn.process.redaction import redact

_ADVICE = "Leave one of them out, ask for other versions, or lock fewer platforms."
_SILENT = re.compile(
    r"ConnectionError|ConnectTimeout|ReadTimeout|JSONDecodeError|HTTPError|RepositoryError"
    r"|Max retries|Name or service not known|timed out"
)
_FRAME = re.compile(r"\s|Traceback|During handling|The above exception|INFO|WARNING")


def explain(report: Mapping[str, str], channels: Sequence[str]) -> MlinfnError:
    """The failure that our solver wrote down: ``platform``, ``kind`` and ``message``."""
    kind, message = report["kind"], report["message"]
    platform = report["platform"] or "this platform"
    if kind == "unsolvable":
        return _unsolvable(platform, message)
    if kind == "channel-unreachable":
        return Unavailable(
            f"The channels cannot be read for {platform}: {_short(reason(message))}.",
            code="channel-unreachable",
            field="channels",
            hint=f"Asked were: {', '.join(channels)}. Try again, or correct their addresses.",
        )
    if kind == "bad-requirement":
        return InputError(
            f"A requirement cannot be read: {_short(message)}.",
            code="bad-requirement",
            field="packages",
            hint="Examples: numpy, numpy>=2,<3, python=3.11.",
        )
    known = {
        "wrong-hash": Refused,
        "package-unreachable": Unavailable,
        "no-certificates": PartMissing,
    }
    return known.get(kind, Unavailable)(f"{_short(message)}.", code=kind)


def without_solver(stderr: str, *, pip: bool, program: Path | None) -> MlinfnError:
    """A failure of conda-lock itself, or of a conda ``program`` that an administrator configured.

    ``pip`` says whether an index of pip's packages was asked at all.
    """
    lines = [line for line in stderr.splitlines() if line.strip() and not _FRAME.match(line)]
    if (at := stderr.find("SolverProblemError")) >= 0:
        told = " ".join(stderr[at:].split("\n\n")[0].split()).partition(": ")[2]
        return InputError(
            f"The packages of pip do not go together: {_short(told)}.",
            code="unsolvable",
            field="pip",
            hint="Ask for other versions of them.",
        )
    for line in lines:
        if found := re.match(r"Could not lock the environment for platform (\S+)", line):
            after = lines[lines.index(line) + 1 :]
            return _unsolvable(found.group(1), "\n".join(after[:20]))
    if pip and _SILENT.search(stderr):
        return Unavailable(
            "The index of pip's packages cannot be read.",
            code="index-unreachable",
            field="pip",
            hint="Look whether its address is right and the network is there, then try again.",
        )
    last = re.sub(r"^[\w.]+(?:Error|Exception): ", "", lines[-1]) if lines else "it said nothing"
    if program is not None:
        return PartMissing(
            f"The configured program {program} did not lock the environment: {_short(last)}.",
            code="program-failed",
            hint="Tell your administrators; the setting names a conda, mamba or micromamba.",
        )
    return PartMissing(
        f"conda-lock could not lock the environment: {_short(last)}.",
        code="conda-lock-failed",
        hint="Try fewer packages or platforms; mlinfn doctor shows what is installed.",
    )


def _unsolvable(platform: str, message: str) -> InputError:
    problems = [
        Problem(
            code="unknown-package" if spec == "*" else "no-such-version",
            text=f"No package {name} {spec} for {platform} is in the channels.".replace(" * ", " "),
            field="packages",
            hint="Check how it is written, or ask for another version.",
        )
        for name, spec in not_offered(message)
    ]
    if not problems:
        text = " ".join(requirements(message)) or _short(message) + "."
        problems = [Problem(code="unsolvable", text=text, field="packages", hint=_ADVICE)]
        text = f"These packages do not go together on {platform}. {text}"
    else:
        text = " ".join(problem.text for problem in problems)
    return InputError(
        text[:2000],
        code=problems[0].code,
        field="packages",
        hint=problems[0].hint,
        problems=problems,
    )


def _short(text: str) -> str:
    return redact(" ".join(text.split()))[:500].rstrip(".")
