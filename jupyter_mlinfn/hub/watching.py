"""``profiles.toml`` while the hub runs: read again when it changes, and never left without one.

A new file that has errors changes nothing for people: the old one stays in force, the log tells
every error once, and the spawn page shows the admins that there are some.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.reading import load

LOG = logging.getLogger("JupyterHub.mlinfn")

_Seen = tuple[int, int, int]


class WatchedBook:
    """The offer of ``path`` as it was last found right.

    Raises :class:`~jupyter_mlinfn.model.errors.InputError` at once when the first one is wrong: a
    hub does not start with no offer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        # looked at before it is read: a change in between is found at the next look
        self._seen: _Seen | None = _look(path)
        try:
            self._book = load(path)
        except InputError as error:
            LOG.error("There is no offer. %s", _told(error))
            raise
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the file that lies there now is not in force, every error a line; for admins."""
        return self._problem

    @property
    def last(self) -> Book:
        """What the newest look found, which each start and the hub's round make. Never blocks."""
        return self._book

    def book(self) -> Book:
        """What is in force now. Blocks for a look at the file, and for reading a changed one."""
        with self._lock:
            seen = _look(self._path)
            if seen != self._seen:
                self._seen = seen
                self._read()
            return self._book

    def _read(self) -> None:
        try:
            book = load(self._path)
        except InputError as error:
            self._problem = _told(error)
            LOG.error("The profiles stay as they were. %s", self._problem)
            return
        if book.digest != self._book.digest:
            LOG.warning("The profiles were read again: %s.", book.digest[:12])
        self._book, self._problem = book, None


def _look(path: Path) -> _Seen | None:
    """What tells one state of the file from another; ``None``: it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _told(error: InputError) -> str:
    return "\n".join(problem.text for problem in error.problems)
