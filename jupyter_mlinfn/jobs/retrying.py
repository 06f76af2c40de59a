"""Whether an attempt that did not succeed is followed by another one, by the reason of its end.

Standard library only: the supervisor decides it. What the machine did is tried again as often as
the person said; what the code did only where the person named it. An evictable job that gives its
place starts again as often as that happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.checkpoints import FOR_GOOD, GAVE_WAY, siblings

MACHINE: Final = GAVE_WAY | {"node-lost", "runner-died"}
"""Ends that the job's code did not cause."""


def runs_again(folder: AttemptFolder, spec: Mapping[str, Any], code: str | None) -> str | None:
    """What to tell of the next attempt, ``None`` when there is none; ``""``: it was evicted."""
    if code in GAVE_WAY and spec.get("evictable"):
        return ""
    if code not in _reasons(spec):
        return None
    used, allowed = _used(folder, spec), int(spec.get("retries") or 0)
    if used >= allowed:
        return None
    return f" It runs again by itself (retry {used + 1} of {allowed})."


def exhausted(folder: AttemptFolder, spec: Mapping[str, Any]) -> bool:
    """Whether the attempts before this one, killed without a word, were all there may be.

    A batch system may start a job again by itself whose machine it lost.
    """
    if spec.get("evictable"):
        return False
    return _used(folder, spec) > int(spec.get("retries") or 0)


def _reasons(spec: Mapping[str, Any]) -> frozenset[str]:
    return MACHINE | frozenset(spec.get("retry_on") or ())


def _used(folder: AttemptFolder, spec: Mapping[str, Any]) -> int:
    """How many attempts before this one ran some code and counted as a try."""
    mine, counted = int(folder.path.name), 0
    for one in siblings(folder):
        if int(one.path.name) < mine and one.begun.exists():
            end = read_json(one.end) or {}
            code = (end.get("reason") or {}).get("code", "node-lost")
            evicted = code in GAVE_WAY and bool(spec.get("evictable"))
            counted += end.get("state") not in FOR_GOOD and not evicted
    return counted
