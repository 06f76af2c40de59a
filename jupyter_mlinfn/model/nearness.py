"""Which known name somebody who typed a wrong one may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 60
"""Characters of a typed name that are compared: what is longer was not meant to be a name."""


def near_miss(typed: object, known: Iterable[str]) -> str | None:
    """The name of ``known`` most like ``typed``; ``None`` where nothing is near."""
    if not isinstance(typed, str):
        return None
    near = difflib.get_close_matches(typed[:LONGEST], list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(typed: object, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` with a space before it; empty where nothing is near."""
    near = near_miss(typed, known)
    return f" Did you mean '{near}'?" if near else ""
