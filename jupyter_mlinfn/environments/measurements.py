"""Sizes and file counts of prefixes: how they are measured, and where they are kept.

``<data folder>/environments/``: ``wanted.json`` names the prefixes to measure, one
``<hash>.json`` a prefix holds what was found, ``worker.lock`` is held by the one worker.
All of it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from jupyter_mlinfn.process.durable import write_atomically

MOST_TRIES = 3
_LONGEST_KEPT = timedelta(days=7)
_LOOK_EVERY = 64
_BLOCK = 512
"""Unit of ``st_blocks``, whatever the file system (stat(2))."""


class Wanted(BaseModel):
    """One prefix to measure; ``stamp`` changes when its packages change."""

    model_config = ConfigDict(frozen=True)

    prefix: str
    stamp: str


class WantedList(BaseModel):
    """``wanted.json``."""

    model_config = ConfigDict(frozen=True)

    prefixes: tuple[Wanted, ...] = ()


class Measurement(BaseModel):
    """What was found: bytes on disk and number of files. ``tries`` counts starts without an end."""

    model_config = ConfigDict(frozen=True)

    prefix: str
    stamp: str
    size: int | None = None
    files: int | None = None
    measured_at: AwareDatetime | None = None
    tries: int = 0

    def answers(self, wanted: Wanted) -> bool:
        """Whether nothing has to be measured: fresh, or tried too often for these packages."""
        if self.stamp != wanted.stamp:
            return False
        if self.measured_at is None:
            return self.tries >= MOST_TRIES
        return datetime.now(UTC) - self.measured_at < _LONGEST_KEPT


class Cancelled(Exception):
    """The measurement is not wanted any more."""


class Measurements:
    """The kept measurements in ``folder``; read by every process, written by the worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "worker.lock"
        self._wanted = folder / "wanted.json"

    def create(self) -> None:
        """Make the folder. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def want(self, prefixes: Sequence[Wanted]) -> None:
        """Name what has to be measured; whatever else is being measured is given up."""
        write_atomically(self._wanted, WantedList(prefixes=tuple(prefixes)).model_dump_json())

    def wanted(self) -> tuple[Wanted, ...]:
        """What has to be measured; nothing when the file is gone."""
        try:
            return WantedList.model_validate_json(self._wanted.read_bytes()).prefixes
        except (OSError, ValidationError):
            return ()

    def read(self, prefix: str) -> Measurement | None:
        """The last measurement of a prefix; ``None`` when there is none to be read."""
        try:
            found = Measurement.model_validate_json(self._file(prefix).read_bytes())
        except (OSError, ValidationError):
            return None
        return found if found.prefix == prefix else None

    def write(self, measurement: Measurement) -> None:
        """Keep a measurement. Raises OSError."""
        write_atomically(self._file(measurement.prefix), measurement.model_dump_json())

    def open_questions(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Those of ``wanted`` without an answer."""
        known = [(item, self.read(item.prefix)) for item in wanted]
        return [item for item, found in known if found is None or not found.answers(item)]

    def _file(self, prefix: str) -> Path:
        return self.folder / (hashlib.sha256(os.fsencode(prefix)).hexdigest()[:32] + ".json")


def measure(prefix: Path, still_wanted: Callable[[], bool]) -> tuple[int, int]:
    """Bytes on disk and number of files below ``prefix``.

    Symbolic links are counted, not followed; other file systems are not entered; a file with
    several names counts once (conda links files from its package cache). Folders that cannot be
    read are left out. Raises :class:`Cancelled` once ``still_wanted`` says no.
    """
    device = prefix.stat().st_dev
    size = files = folders = 0
    seen: set[int] = set()
    todo = [str(prefix)]
    while todo:
        if folders % _LOOK_EVERY == 0 and not still_wanted():
            raise Cancelled
        folders += 1
        try:
            with os.scandir(todo.pop()) as entries:
                facts = [(entry, entry.stat(follow_symlinks=False)) for entry in entries]
        except OSError:
            continue  # removed or closed while we look
        for entry, fact in facts:
            if entry.is_dir(follow_symlinks=False):
                if fact.st_dev == device:
                    todo.append(entry.path)
                    size += fact.st_blocks * _BLOCK
                continue
            if fact.st_nlink > 1:
                if fact.st_ino in seen:
                    continue
                seen.add(fact.st_ino)
            files += 1
            size += fact.st_blocks * _BLOCK
    return size, files
