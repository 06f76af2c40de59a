"""The state of a sweep, from how many of its points are in which state. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_mlinfn.model.jobs import JobState, Reason


def whole(states: Mapping[JobState, int], *, cancelling: bool) -> tuple[JobState, Reason | None]:
    """The state that follows, and the reason of an end that is no success.

    It waits until the first point starts, and runs from then on while any point runs or waits.
    """
    waiting = states.get("queued", 0) + states.get("evicted", 0)
    active = states.get("starting", 0) + states.get("running", 0)
    if waiting or active:
        return _going(states), None
    total, succeeded = sum(states.values()), states.get("succeeded", 0)
    failed, cancelled = states.get("failed", 0), states.get("cancelled", 0)
    if cancelled and (cancelling or not failed):
        text = f"You cancelled {_of(cancelled, total)}"
        if failed or succeeded:
            text += f"; {succeeded:,} succeeded, {failed:,} failed"
        return "cancelled", Reason(code="cancelled-by-user", text=f"{text}.")
    if failed:
        also = f" {cancelled:,} more you cancelled." if cancelled else ""
        return "failed", Reason(code="points-failed", text=f"{_of(failed, total)} failed.{also}")
    return "succeeded", None


def _going(states: Mapping[JobState, int]) -> JobState:
    begun = sum(states.get(state, 0) for state in ("running", "evicted", "succeeded", "failed"))
    if begun:
        return "running"
    return "starting" if states.get("starting", 0) else "queued"


def _of(some: int, total: int) -> str:
    return f"{some:,} of {total:,} points"
