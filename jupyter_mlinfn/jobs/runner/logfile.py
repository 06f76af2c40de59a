"""``log.txt``: what a job prints, line by line as it comes, harmless to show and capped.

Escape sequences and control characters are removed, because the log is shown in terminals and
panels; a progress bar that rewrites its line appears as one line every few seconds.
"""

from __future__ import annotations

import codecs
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

MAX_BYTES = 100 * 10**6
MAX_LINE = 20_000
_PARTIAL_EVERY = 2.0
_MISSING = "… (lines are missing here: the disk was full)\n"

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_]|[ -/]+[0-~])"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """``text`` without escape sequences, control characters and direction overrides."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


class LogFile:
    """Appends to the log from any thread; safe against any content."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        max_line: int = MAX_LINE,
        redact: Callable[[str], str] = str,
    ) -> None:
        """``redact`` takes out of the text what must not be in a log."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._left = max_bytes - os.fstat(self._file).st_size
        self._max_line = max_line
        self._redact = redact
        self._line = ""
        self._cut = False
        self._shown_at = 0.0
        self._begun_at: float | None = None
        self._shown = ""
        self._lock = threading.Lock()
        self._full = False
        self._lost = False

    def write(self, text: str) -> None:
        """Take a piece of output; complete lines are written at once."""
        with self._lock:
            lines = []
            pieces = text.split("\n")
            for piece in pieces[:-1]:
                self._extend(piece)
                lines.append(self._complete())
            self._extend(pieces[-1])
            lines.extend(self._partial())
            self._append("".join(lines))

    def flush(self) -> None:
        """Write a last line that has no end yet."""
        with self._lock:
            if self._line and self._line != self._shown:
                self._append(self._complete())

    def drain(self, descriptor: int) -> None:
        """Copy everything read from ``descriptor`` until its end; for a thread."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while data := os.read(descriptor, 65536):
            self.write(decoder.decode(data))
        os.close(descriptor)
        self.flush()

    def _extend(self, piece: str) -> None:
        if piece and self._begun_at is None:
            self._begun_at = time.monotonic()
        # a carriage return starts the line again: only what is after the last one is seen
        rewritten = piece.rstrip("\r").rpartition("\r")
        if rewritten[1]:
            self._line, self._cut = "", False
            piece = rewritten[2]
        room = self._max_line - len(self._line)
        self._cut = self._cut or len(piece) > room
        self._line += piece[: max(room, 0)]

    def _complete(self) -> str:
        end = " … (the rest of this line was left out)\n" if self._cut else "\n"
        line = plain(self._line) + end
        again = self._line and self._line == self._shown and not self._cut
        self._line, self._cut, self._shown, self._begun_at = "", False, "", None
        return "" if again else line

    def _partial(self) -> list[str]:
        """A line that has had no end for a while, such as a progress bar: shown now and then.

        Not at once: an unbuffered ``print(a, b)`` comes in four pieces.
        """
        if not self._line.strip() or self._line == self._shown:
            return []
        if time.monotonic() - max(self._shown_at, self._begun_at or 0.0) < _PARTIAL_EVERY:
            return []
        self._shown, self._shown_at = self._line, time.monotonic()
        return [plain(self._line) + "\n"]

    def _append(self, text: str) -> None:
        data = self._redact(text).encode("utf-8", "replace") if text else b""
        if not data or self._full:
            return
        if len(data) > self._left:
            self._full = True
            data = data[: max(self._left, 0)] + b"\nThe log is full; what follows was left out.\n"
        if self._lost:
            data = _MISSING.encode() + data
        try:
            os.write(self._file, data)
        except OSError:
            # the job goes on: who writes into a pipe that nobody reads waits for ever
            self._lost = True
            return
        self._lost = False
        self._left -= len(data)
