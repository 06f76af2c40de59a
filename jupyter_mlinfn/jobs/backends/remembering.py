"""An answer of a batch system that is kept for a moment, and so is its silence."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from jupyter_mlinfn.model.errors import MlinfnError, Unavailable

Answer = TypeVar("Answer")

_FRESH: Final = 10.0
_SILENT: Final = 5.0


class Remembered(Generic[Answer]):
    """What ``ask`` answers, at most ``fresh`` seconds old.

    A system that was silent is taken to be silent for 5 s more: a form asks many things at once,
    and each would wait for its own deadline. ``code`` is that of the error then.
    """

    def __init__(self, ask: Callable[[], Answer], code: str, *, fresh: float = _FRESH) -> None:
        self._ask = ask
        self._code = code
        self._fresh = fresh
        self._kept: tuple[float, Answer] | None = None
        self._silence: tuple[float, str] | None = None

    def get(self) -> Answer:
        """The answer. Raises what ``ask`` raises, and :class:`Unavailable` while it is silent."""
        now = time.monotonic()
        if self._kept is not None and now - self._kept[0] < self._fresh:
            return self._kept[1]
        if self._silence is not None and now - self._silence[0] < _SILENT:
            raise Unavailable(self._silence[1], code=self._code)
        try:
            answer = self._ask()
        except MlinfnError as error:
            self._silence = (time.monotonic(), error.text)
            raise
        self._kept = (time.monotonic(), answer)
        return answer

    def get_or(self, otherwise: Answer) -> Answer:
        """The answer, or ``otherwise`` while the system is silent."""
        try:
            return self.get()
        except Unavailable:
            return otherwise
