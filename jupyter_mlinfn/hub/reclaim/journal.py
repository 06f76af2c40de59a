"""Every decision with the samples it rests on: lines of JSON, in files that stay small."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, ValidationError

from jupyter_mlinfn.model.accelerators import SignalState
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.process.durable import append_line

LARGEST: Final = 10 * 2**20
FILES: Final = 5
LOOKED_AT: Final = 256 * 2**10
"""Bytes at the end of the journal in which a decision of a moment ago is looked for."""

Decided = Literal["warn", "withdraw", "keep", "release", "cull"]


class Seen(Frozen):
    """``count`` samples that said the same, from the first to the last; seconds of our clock."""

    first: float
    last: float
    count: int
    state: SignalState
    measurement: str | None = None
    batch: bool = False


class Entry(Frozen):
    """One decision. ``release_in``: seconds until the end that was told, where one was."""

    time: AwareDatetime
    user: str
    server: str
    decision: Decided
    why: str
    dry_run: bool
    devices: tuple[str, ...] = ()
    idle_seconds: float | None = None
    release_in: float | None = None
    samples: tuple[Seen, ...] = ()


class Journal:
    """``file`` and its predecessors ``file.1`` (the youngest) to ``file.4``, mode 0600."""

    def __init__(self, file: Path, *, largest: int = LARGEST, files: int = FILES) -> None:
        self._file = file
        self._largest = largest
        self._files = files

    def write(self, entry: Frozen) -> None:
        """Append one line. Raises OSError."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._file.exists() and os.path.getsize(self._file) >= self._largest:  # noqa: PTH202
            self._turn()
        append_line(self._file, entry.model_dump_json())

    def last(self, user: str, server: str) -> Entry | None:
        """The youngest decision about a session among the last ones. Raises OSError."""
        try:
            with self._file.open("rb") as stream:
                stream.seek(max(0, self._file.stat().st_size - LOOKED_AT))
                lines = stream.read().splitlines()
        except FileNotFoundError:
            return None
        for line in reversed(lines):
            try:
                entry = Entry.model_validate_json(line)
            except ValidationError:
                continue  # the first was cut, or is being written
            if (entry.user, entry.server) == (user, server):
                return entry
        return None

    def _turn(self) -> None:
        named = [self._file, *(self._numbered(at) for at in range(1, self._files))]
        for older, younger in zip(named[:0:-1], named[-2::-1], strict=True):
            if younger.exists():
                younger.replace(older)

    def _numbered(self, at: int) -> Path:
        return self._file.with_name(f"{self._file.name}.{at}")
