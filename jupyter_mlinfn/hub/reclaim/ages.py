"""Ages that the hub tells by the wall clock, held against a clock that only grows.

The hub says how long a session has been inactive as now less then, both by the wall clock. If
that clock is put forward by an hour every session is an hour older at once; none is ended for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

SLACK: Final = 5.0
"""Seconds by which what is told may run ahead of what passed here: rounding, a slow answer."""


class Ages:
    """Remembers of each name how old it was, and when that was."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[float, float]] = {}

    def true(self, name: Hashable, told: float, now: float) -> float:
        """The age of ``name`` at ``now``: ``told``, or less where time did not pass so fast.

        The first that is told of a name is believed. A smaller age is believed: it was used.
        """
        if name in self._seen:
            before, then = self._seen[name]
            most = before + max(0.0, now - then)
            if told > most + SLACK:
                return most
        self._seen[name] = (told, now)
        return told

    def forget_all_but(self, names: Iterable[Hashable]) -> None:
        """Remember ``names`` alone."""
        keep = set(names)
        self._seen = {name: one for name, one in self._seen.items() if name in keep}
