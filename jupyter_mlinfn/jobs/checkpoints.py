"""Checkpoints as a job's folder shows them, and what an attempt lost that ended before its time.

Standard library only: the supervisor of every job imports this. Times are seconds since 1970.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json

_MOST = 2000
"""So many files are looked at: a job that keeps more is told the age of one of these."""
_DEEPEST = 3
_MOST_STARTS = 1_000_000
_TORN = re.compile(r"\..+\.[0-9a-f]{8}\.tmp", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)

FOR_GOOD = frozenset({"succeeded", "failed", "cancelled"})
"""States of an attempt after which no other one follows."""

GAVE_WAY = frozenset({"lost", "session-ended", "preempted"})
"""Ends of an attempt whose place was taken, or whose machine stopped."""


def newest(folder: Path) -> float | None:
    """When the newest checkpoint below ``folder`` was written; ``None`` without any.

    Names that begin with a dot are being written and do not count.
    """
    times = []
    for entry in _files(folder, _DEEPEST):
        with contextlib.suppress(FileNotFoundError):  # replaced at this moment
            times.append(entry.stat(follow_symlinks=False).st_mtime)
        if len(times) >= _MOST:
            break
    return max(times, default=None)


def _files(folder: Path, depth: int) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            present = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return  # not there yet, or being replaced at this moment
    for entry in present:
        if entry.is_dir(follow_symlinks=False):
            if depth > 1:
                yield from _files(Path(entry.path), depth - 1)
        elif entry.is_file(follow_symlinks=False):
            yield entry


def remove_torn(folder: Path) -> None:
    """Remove what an attempt that was killed while it saved has left; nobody writes there now."""
    for path in folder.glob(".*.tmp"):
        if _TORN.fullmatch(path.name):
            path.unlink(missing_ok=True)


def evictions_before(folder: AttemptFolder) -> int:
    """How many attempts before this one ran some of the job's code and gave way."""
    mine = int(folder.path.name)
    return sum(_gave_way(one) for one in siblings(folder) if int(one.path.name) < mine)


def siblings(folder: AttemptFolder) -> list[AttemptFolder]:
    """All attempts of the same job, the first one first."""
    try:
        names = [entry.name for entry in folder.path.parent.iterdir()]
    except FileNotFoundError:
        return []
    numbers = sorted(int(name) for name in names if _NUMBER.fullmatch(name))
    return [AttemptFolder(folder.path.parent / str(number)) for number in numbers]


def _gave_way(folder: AttemptFolder) -> bool:
    if not folder.begun.exists():
        return False
    end = read_json(folder.end)
    if end is None:
        # it ran until it was killed: taken from an evictable job, else its machine was lost
        return evictable(folder)
    code = (end.get("reason") or {}).get("code")
    return end.get("state") not in FOR_GOOD and code in GAVE_WAY and evictable(folder)


def evictable(folder: AttemptFolder) -> bool:
    """Whether its job may be evicted: only then giving way is called that."""
    return bool((read_json(folder.job_folder / "job.json") or {}).get("evictable"))


def _followed(folder: AttemptFolder) -> bool:
    mine = int(folder.path.name)
    return any(int(one.path.name) > mine and one.begun.exists() for one in siblings(folder))


def lost(began: float, ended: float, checkpoint: float | None) -> float:
    """Seconds of work that are in no checkpoint."""
    return round(max(0.0, ended - max(began, checkpoint or 0.0)), 1)


def moment(seconds: float | None) -> str | None:
    """A time as job files tell it: ISO 8601, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def seconds_of(text: object) -> float | None:
    """The inverse of :func:`moment`; ``None`` for what is no time with a zone."""
    try:
        told = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return told.timestamp() if told is not None and told.tzinfo else None


def last_sign(folder: AttemptFolder) -> float | None:
    """When an attempt that left no word was last known to live."""
    for path in (folder.live, folder.supervisor):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return None


def told(folder: AttemptFolder, *, gave_way: bool = False) -> dict[str, Any]:
    """The fields of an observation that an attempt without ``end.json`` adds from its folder.

    ``gave_way``: its batch system says that it was evicted, and killed before it could say so.
    """
    live = read_json(folder.live) or {}
    checkpoint, began = seconds_of(live.get("checkpoint_at")), None
    if gave_way and folder.begun.exists():
        began = seconds_of((read_json(folder.begun) or {}).get("at"))
        # checkpoints of a later attempt say nothing of this one
        checkpoint = checkpoint if _followed(folder) else newest(folder.checkpoints)
    before = live.get("evictions")
    if not isinstance(before, int) or not 0 <= before < _MOST_STARTS:
        before = evictions_before(folder)
    found: dict[str, Any] = {
        "evictions": before + (began is not None and evictable(folder)),
        "checkpoint_at": moment(checkpoint),
    }
    ended = last_sign(folder)
    if began is not None and ended is not None:
        found["lost_seconds"] = lost(began, ended, checkpoint)
    return {name: value for name, value in found.items() if value is not None}
