"""Being asked to end (SIGTERM): remembered, and passed to whoever can act on it."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome


class Stopping:
    """Set once by the signal; ``then`` is called at once, or when it is set later."""

    def __init__(self) -> None:
        self.asked = False
        self._then: Callable[[], None] | None = None

    def on_signal(self, *_: object) -> None:
        """The signal's handler."""
        self.asked = True
        if self._then is not None:
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
