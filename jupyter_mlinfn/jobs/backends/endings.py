"""How often, and how hard, a batch system is told that something of ours shall end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_EVERY: Final = 10.0
_GENTLE_FOR: Final = 60.0


class Endings:
    """What shall end was told so by :meth:`telling`: again every 10 s until it has ended, and for
    a minute gently, so that our program in it can save what there is."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, float]] = {}
        """When first, and when last."""

    @contextmanager
    def telling(self, what: str) -> Iterator[bool | None]:
        """Whether to be gentle now; ``None``: it was told a moment ago.

        What raises was not heard: a silent system leaves nobody less time.
        """
        now = time.monotonic()
        told = self._told.get(what)
        if told is not None and now - told[1] < _EVERY:
            yield None
            return
        first = told[0] if told else now
        yield now - first < _GENTLE_FOR
        self._told[what] = (first, now)
