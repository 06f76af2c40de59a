"""What is to be done for jobs beside running them: renewing secrets, and when a job has ended,
removing them and telling those who wanted to be told.

``owes`` in the index says that there is something; whoever looks at the index does it. A notice
is sent in a thread, for a mail server may be slow: what became of it is read at the next look. A
program that ends waits for what is just being sent, because that is never sent again.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.notices import delivering
from jupyter_mlinfn.model.jobs import ENDED, WAITING

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.folders import JobFolders
    from jupyter_mlinfn.jobs.store import JobStore

_EVERY: Final = 2.0
_AT_THE_END: Final = 20.0
_TOLD: Final = ("state", "reason", "output", "attempts", "started_at", "ended_at", "usage", "sweep")

_log = logging.getLogger(__name__)

Letter = tuple[Path, Mapping[str, Any]]


class Errands:
    """Looks when a look is due."""

    def __init__(self, store: JobStore, folders: JobFolders) -> None:
        self._store = store
        self._folders = folders
        self._next = 0.0
        self._sending: threading.Thread | None = None
        self._leaving = threading.Event()

    def look(self) -> None:
        """Do what is owed, at most every two seconds."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        letters = [one for job, state in self._owed() for one in self._tend(job, state)]
        if letters and not (self._sending and self._sending.is_alive()):
            if self._sending is None:
                atexit.register(self._leave)
            self._sending = threading.Thread(target=self._send, args=(letters,), daemon=True)
            self._sending.start()

    def finish(self, within: float) -> None:
        """Wait until what is being sent has been, for at most so many seconds."""
        if self._sending is not None:
            self._sending.join(within)

    def _leave(self) -> None:
        self._leaving.set()
        self.finish(_AT_THE_END)

    def _owed(self) -> list[tuple[str, str]]:
        from jupyter_mlinfn.jobs.owing import owed  # what the store has loaded by then

        return owed(self._store.index)

    def _tend(self, job: str, state: str) -> list[Letter]:
        """Do what one job needs; the notices that have to be sent."""
        folder = self._folders.job(job)
        if state not in ENDED:
            try:
                if state in WAITING:
                    credentials.bring(folder, os.environ)
                credentials.renew(folder)
            except OSError as error:
                _log.info("The secrets of job %s cannot be renewed: %s", job, error)
            return []
        credentials.remove(folder)
        if folder.is_dir() and not delivering.settled(folder):
            told = self._store.get(job).model_dump(mode="json", include=set(_TOLD))
            return [(folder, told)]
        from jupyter_mlinfn.jobs.owing import paid

        paid(self._store.index, job)
        return []

    def _send(self, letters: list[Letter]) -> None:
        for folder, end in letters:
            if self._leaving.is_set():
                return
            try:
                delivering.deliver(folder, end)
            except (OSError, ValueError) as error:
                _log.warning("The notices of job %s cannot be sent: %s", folder.name, error)
