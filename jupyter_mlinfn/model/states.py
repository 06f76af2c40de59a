"""What jobs, their attempts and the points of sweeps have in common: states, reasons, names."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints

JobState = Literal["queued", "starting", "running", "evicted", "succeeded", "failed", "cancelled"]
STATES: tuple[JobState, ...] = get_args(JobState)
"""All of them, in the order in which a job goes through them."""

ENDED: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})
WAITING: frozenset[JobState] = frozenset({"queued", "evicted"})
ACTIVE: frozenset[JobState] = frozenset({"starting", "running"})

ReasonCode = Literal[
    "notebook-error",
    "command-failed",
    "kernel-died",
    "runner-died",
    "out-of-memory",
    "time-limit",
    "cancelled-by-user",
    "points-failed",
    "environment-missing",
    "environment-mismatch",
    "input-changed",
    "bundle-damaged",
    "disk-full",
    "lost",
    "session-ended",
    "not-started",
    "waits-for-slot",
    "waits-for-accelerator",
    "waits-in-queue",
    "held",
    "preempted",
    "node-lost",
    "refused-by-system",
    "asks-too-much",
    "waits-for-job",
    "dependency-failed",
]

PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)

JobId = Annotated[str, StringConstraints(pattern=r"^[a-z2-7]{10}$")]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]

MAX_NAMED = 1000
"""So many parameters, inputs or outputs can be named one by one."""


class Frozen(BaseModel):
    """Immutable, and strict about fields nobody knows.

    JSON knows no NaN and no infinity: what is shown to others writes them as text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Reason(Frozen):
    """Why a job is in its state: a stable code and a sentence."""

    code: ReasonCode
    text: str


class Usage(Frozen):
    """What an attempt used: peak memory in bytes (whole process tree), CPU time in seconds."""

    peak_memory: int | None = None
    cpu_seconds: float | None = None
