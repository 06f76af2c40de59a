"""Events of a task: where it is, for people who watch. Written as lines, at most ten a second."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from jupyter_mlinfn.model.environment_tasks import Phase, TaskEvent
from jupyter_mlinfn.process.durable import append_line

_EVERY = 0.1
"""Seconds between two events of the same phase."""

Unit = Literal["packages", "bytes", "files", ""]


class Reporter:
    """Appends events to ``path``. May be called from any thread.

    A new phase is written at once; within a phase only what has not been overtaken within 0.1 s.
    A disk that is full loses events and nothing else: the result tells what went wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._phase: Phase | None = None
        self._last = 0.0
        self._lock = threading.Lock()

    def say(
        self, phase: Phase, text: str = "", *, done: int = 0, total: int = 0, unit: Unit = ""
    ) -> None:
        """Note that the task is in ``phase``, ``done`` of ``total`` ``unit`` ready."""
        now = time.monotonic()
        with self._lock:
            if phase == self._phase and now - self._last < _EVERY:
                return
            self._phase, self._last = phase, now
            event = TaskEvent(
                at=datetime.now(UTC), phase=phase, text=text, done=done, total=total, unit=unit
            )
            try:
                append_line(self._path, event.model_dump_json())
            except OSError:
                return  # full disk; see above


class Silent(Reporter):
    """Says nothing: for callers that nobody watches."""

    def __init__(self) -> None:
        super().__init__(Path("/dev/null"))

    def say(
        self, phase: Phase, text: str = "", *, done: int = 0, total: int = 0, unit: Unit = ""
    ) -> None:
        """Drop the event."""
