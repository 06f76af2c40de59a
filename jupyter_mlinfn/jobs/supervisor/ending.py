"""How an attempt ended and why, decided from what is known: no I/O, every case a test.

The runner's word counts first; what the supervisor itself did, or saw the kernel do, explains
why a runner or a program died. Quantities are imported where a text needs them: they bring
pydantic, and the end of a job that succeeded should not wait for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Stop = Literal["cancel", "time-limit", "memory", "session", "eviction"]
"""Why the supervisor ended the job: asked to, out of time, over its memory, told to stop,
its place taken back by the batch system."""

_KILLED = frozenset({"kernel-died", "command-failed"})
"""What a runner says when something outside killed what it was running."""


@dataclass(frozen=True)
class Facts:
    """``result`` is the runner's ``result.json``. Memory in bytes, times in seconds.

    ``restarted``: the machine or container the attempt ran on is not the one of now.
    ``no_space``: a disk was full when the runner, or the supervisor, had to write.
    ``kept``: there is a checkpoint.
    """

    begun: bool
    result: Mapping[str, Any] | None
    stop: Stop | None = None
    memory_kills: int = 0
    restarted: bool = False
    no_space: bool = False
    asked_memory: int = 0
    used_memory: int | None = None
    asked_time: int = 0
    ran: float = 0.0
    kept: bool = False


@dataclass(frozen=True)
class Verdict:
    """The state for good, and the reason as ``{"code", "text"}``."""

    state: Literal["succeeded", "failed", "cancelled", "evicted"]
    reason: dict[str, str] | None = None


def verdict(facts: Facts) -> Verdict:
    """The end of an attempt."""
    result = facts.result or {}
    if result.get("state") == "succeeded":
        return Verdict("succeeded")
    told: dict[str, str] = result.get("reason") or {}
    code = told.get("code")
    explained = result.get("state") == "failed" and code not in _KILLED
    if explained:
        return Verdict("failed", _with_memory(told, facts))
    if facts.stop == "cancel":
        return Verdict("cancelled", _reason("cancelled-by-user", _cancelled(facts)))
    if facts.stop == "time-limit":
        return _failed("time-limit", _out_of_time(facts))
    if facts.stop == "memory" or facts.memory_kills:
        return _failed("out-of-memory", _out_of_memory(facts))
    if facts.stop == "session":
        return _failed("session-ended", _SESSION)
    if facts.stop == "eviction":
        return _failed("preempted", _PREEMPTED)
    if facts.no_space:
        return _failed("disk-full", _NO_SPACE)
    if told:
        return Verdict("failed", told)
    if facts.restarted:
        return _failed("lost", _LOST)
    if facts.begun:
        return _failed("runner-died", _RUNNER_DIED)
    return _failed("not-started", _NOT_STARTED)


_KEPT = "What it had written so far was kept."
_SESSION = (
    "This machine or container was told to stop while the job ran, and the job ended with it. "
    + _KEPT
)
_PREEMPTED = (
    "The batch system told this job to end before its time: its place was needed for another job, "
    "its machine was taken out of service, or somebody ended it there. " + _KEPT
)
_NO_SPACE = (
    "The disk was full. Free some space and run the job again. "
    "What could be written before was kept."
)
_LOST = (
    "The machine or container was stopped while the job ran. It was not started a second time, "
    "because your code may have had effects already. " + _KEPT
)
_RUNNER_DIED = (
    "The program that ran this job was killed from outside. It was not started a second time, "
    "because your code may have had effects already. " + _KEPT
)
_NOT_STARTED = (
    "The program that runs jobs ended three times before your code began. None of your code ran. "
    "The log holds what it said."
)


def _failed(code: str, text: str) -> Verdict:
    return Verdict("failed", _reason(code, text))


def _reason(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text}


def _cancelled(facts: Facts) -> str:
    from jupyter_mlinfn.model.quantities import show_duration

    if not facts.begun:
        return "You cancelled this job before any of your code ran."
    return f"You cancelled this job after {show_duration(facts.ran)}. {_KEPT}"


def _out_of_time(facts: Facts) -> str:
    from jupyter_mlinfn.model.quantities import show_duration

    ended = f"The job was ended at its time limit of {show_duration(facts.asked_time)}."
    if facts.kept:
        return (
            f"{ended} It left a checkpoint: continue from the checkpoint, or run it again. {_KEPT}"
        )
    return f"{ended} Ask for more time when you run it again. {_KEPT}"


def _out_of_memory(facts: Facts) -> str:
    from jupyter_mlinfn.model.quantities import show_memory

    used = f" (at least {show_memory(facts.used_memory)} seen)" if facts.used_memory else ""
    return (
        f"The job used more memory than the {show_memory(facts.asked_memory)} it asked for{used} "
        f"and was ended. Ask for more memory when you run it again. {_KEPT}"
    )


def _with_memory(told: dict[str, str], facts: Facts) -> dict[str, str]:
    """A notebook's error often only follows from a worker that the kernel killed: say so."""
    if not facts.memory_kills:
        return told
    from jupyter_mlinfn.model.quantities import show_memory

    note = (
        f" One of its processes was killed at the memory limit of "
        f"{show_memory(facts.asked_memory)}; more memory may be what it needs."
    )
    return {**told, "text": told.get("text", "") + note}
