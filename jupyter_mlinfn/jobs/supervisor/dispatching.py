"""Seeing to it that a dispatcher lives as long as this supervisor does.

The dispatcher watches the supervisors, the supervisors watch the dispatcher: whichever is killed,
the other starts it again, also while no server runs.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from jupyter_mlinfn.jobs.attempt import Slot
from jupyter_mlinfn.jobs.waking import lives, start_one, wake
from jupyter_mlinfn.process.detach import start_unrelated

_FIRST_LOOK = 2.0
_INTERVAL = 3.0
_MAX_INTERVAL = 60.0


class DispatcherWatch:
    """Looks every few seconds; starts a dispatcher when none lives, ever more seldom."""

    def __init__(self, slot: Slot) -> None:
        self._command = slot.dispatcher
        self._state = Path(slot.state_dir) if slot.dispatcher else None
        self._next = time.monotonic() + _FIRST_LOOK
        self._interval = _INTERVAL

    def look(self) -> None:
        """Start a dispatcher when a look is due and none lives."""
        if self._state is None or time.monotonic() < self._next:
            return
        if lives(self._state):
            self._interval = _INTERVAL
        else:
            self.start()
            self._interval = min(2 * self._interval, _MAX_INTERVAL)
        self._next = time.monotonic() + self._interval

    def wake(self) -> None:
        """Tell the dispatcher that a slot is free; start one when none lives."""
        if self._state is not None and not wake(self._state):
            self.start()

    def start(self) -> None:
        """Start a dispatcher that outlives this job, unless one lives."""
        if self._state is not None and self._state.is_dir():
            start_one(self._state, partial(start_unrelated, self._command))
