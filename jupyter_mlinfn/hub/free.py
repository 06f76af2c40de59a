"""What is free now, in words: "3 of 14 free, next planned end 17:40"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jupyter_mlinfn.model.leases import PoolState
from jupyter_mlinfn.model.quantities import show_moment


@dataclass(frozen=True)
class Free:
    """A line of a card: the accelerator's ``title``, the ``count`` in words, and the rest."""

    title: str
    count: str
    more: str


def free_now(state: PoolState, title: str, now: datetime) -> Free:
    """The line of one pool, as it is at ``now``."""
    if not state.total:
        return Free(title, "none here", " at the moment.")
    count = f"{state.free or 'none'} of {state.total} free"
    more = f", next planned end {show_moment(state.next_free, now)}" if state.next_free else ""
    if state.waiting:
        more += f", {show_people(state.waiting)} waiting"
    return Free(title, count, more)


def show_people(count: int) -> str:
    """``1 person``, ``3 people``."""
    return "1 person" if count == 1 else f"{count} people"
