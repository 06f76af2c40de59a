"""Being asked to end (SIGTERM): remembered, and passed to whoever can act on it.

Why, and how long there is to save what there is, the supervisor writes into ``stopping.json``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome

_WORD_WITHIN = 1.0
_NO_WORD = 5.0
_OWN_TIME = 2.0


@dataclass(frozen=True)
class Notice:
    """Why the job must end, and by when (seconds since 1970) its own code must be done."""

    why: str
    until: float

    @property
    def hooks(self) -> bool:
        """Whether the code's hooks are called: who cancels wants nothing any more."""
        return self.why in ("eviction", "session", "time-limit")

    @property
    def starts_again(self) -> bool:
        """Whether an evictable job runs once more after this."""
        return self.why in ("eviction", "session")

    def left(self) -> float:
        """Seconds left for the job's code, never negative."""
        return max(0.0, self.until - time.time())


def notices(folder: AttemptFolder) -> Iterator[Notice | None]:
    """Look for the supervisor's word until it is there: ``None`` as long as one should look again.

    A batch system signals all processes of a job at once, so the word may come a moment later
    than the signal; after a second without any, five are taken for all there is.
    """
    until = time.monotonic() + _WORD_WITHIN
    while True:
        word = read_json(folder.stopping) or {}
        if isinstance(word.get("until"), (int, float)):
            # what is written after the code is done takes its time as well
            yield Notice(str(word.get("why")), word["until"] - _OWN_TIME)
            return
        if time.monotonic() > until:
            yield Notice("session", time.time() + _NO_WORD - _OWN_TIME)
            return
        yield None


class Stopping:
    """Set once by the signal; ``then`` is called at once, or when it is set later."""

    def __init__(self) -> None:
        self.asked = False
        self._then: Callable[[], None] | None = None

    def on_signal(self, *_: object) -> None:
        """The signal's handler; a second signal says nothing new."""
        again, self.asked = self.asked, True
        if self._then is not None and not again:
            self._then()

    def then(self, act: Callable[[], None]) -> None:
        """What ends the work in hand."""
        self._then = act
        if self.asked:
            act()

    def check(self) -> None:
        """Raises :class:`Ended` when we were asked already: nothing new is begun."""
        if self.asked:
            raise Ended(Outcome("stopped"))
