"""How often a session may ask: so many times in so many seconds, and no more."""

from __future__ import annotations

import math
from collections import defaultdict, deque


class Rate:
    """``times`` in any ``seconds``, for each name."""

    def __init__(self, times: int = 12, seconds: float = 60.0) -> None:
        self._times, self._seconds = times, seconds
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    def wait(self, name: str, at: float) -> int:
        """0 when ``name`` may ask at ``at`` (which counts then), else whole seconds to wait."""
        asked = self._asked[name]
        while asked and asked[0] <= at - self._seconds:
            asked.popleft()
        if len(asked) >= self._times:
            return max(1, math.ceil(asked[0] + self._seconds - at))
        asked.append(at)
        return 0
