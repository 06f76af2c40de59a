"""How long something has been as it is, by a clock that never jumps.

The time of day may go forward an hour or back; a lease must not end for that. So what has to last
is noted here, in memory: a hub that starts again begins to count anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable


class Steady:
    """Since when each of several things has been seen unchanged. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._noted: dict[tuple[str, str], tuple[object, float]] = {}

    def lasted(self, kind: str, name: str, value: object = None) -> float:
        """Seconds since ``name`` was first noted with this ``value``; 0 the first time."""
        with self._lock:
            now = self._monotonic()
            noted = self._noted.get((kind, name))
            if noted is None or noted[0] != value:
                self._noted[kind, name] = (value, now)
                return 0.0
            return now - noted[1]

    def forget(self, kind: str, *names: str) -> None:
        """These are over."""
        with self._lock:
            for name in names:
                self._noted.pop((kind, name), None)

    def keep(self, kind: str, names: Iterable[str], among: Iterable[str]) -> None:
        """Of ``among``, only these go on."""
        self.forget(kind, *(set(among) - set(names)))
