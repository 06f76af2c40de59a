"""What the culler asks of one session, and what it is answered. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jupyter_mlinfn.hub.reclaim.policy import Standing
from jupyter_mlinfn.model.plans import Limits
from jupyter_mlinfn.model.states import Frozen

Reason = Literal[
    "gpu-idle", "inactive", "too-long", "gpu-busy", "batch", "gpu-unknown",
    "in-use", "no-limit",
]  # fmt: skip

TEXTS: dict[Reason, str] = {
    "gpu-idle": "Its GPU was idle for as long as its profile allows, and it was warned.",
    "inactive": "Nobody used it for as long as its profile allows.",
    "too-long": "It has run for as long as its profile allows.",
    "gpu-busy": "Nobody uses it, but its GPU is working.",
    "batch": "Nobody uses it, but a batch step runs in it.",
    "gpu-unknown": "Nobody uses it, but nobody knows whether its GPU is working.",
    "in-use": "It is within its limits.",
    "no-limit": "Nothing is known of its limits.",
}
_ENDS: frozenset[Reason] = frozenset({"gpu-idle", "inactive", "too-long"})


class VerdictRequest(Frozen):
    """A running session. ``inactive`` and ``age`` in seconds, ``None`` where the hub is silent."""

    user: str = Field(max_length=255)
    server: str = Field(default="", max_length=255)
    inactive: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    age: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Verdict(Frozen):
    """``cull``: end it now. In a dry run it is never true; ``reason`` says what would be."""

    cull: bool
    reason: Reason
    text: str
    dry_run: bool

    @property
    def ends(self) -> bool:
        """Whether this reason ends a session where it is no dry run."""
        return self.reason in _ENDS


def verdict(reason: Reason, *, dry_run: bool) -> Verdict:
    """The answer for a reason."""
    cull = reason in _ENDS and not dry_run
    return Verdict(cull=cull, reason=reason, text=TEXTS[reason], dry_run=dry_run)


def decide(
    limits: Limits | None,
    standing: Standing | None,
    *,
    batch: bool,
    inactive: float | None,
    age: float | None,
) -> Reason:
    """Whether a session is to end, and why. ``standing`` is ``None`` without an accelerator.

    Activity is not work: a session that nobody uses goes on while its GPU works, while a batch
    step runs, and while nobody knows.
    """
    if limits is None:
        return "no-limit"
    if limits.longest is not None and age is not None and age >= limits.longest:
        return "too-long"
    if standing == "due":
        return "gpu-idle"
    if limits.idle is None or inactive is None or inactive < limits.idle:
        return "in-use"
    if batch:
        return "batch"
    if standing in ("busy", "unknown"):
        return "gpu-busy" if standing == "busy" else "gpu-unknown"
    return "inactive"
