"""Files that two packages bring: one of the two is not as it was made.

The installer links the file of one of them and puts the other's aside, in the prefix's folder
``__clobbers__/PACKAGE`` under its own path (rattler 0.28; conda-meta notes it as
``original_path``). So nothing has to be compared, and where no packages overlap one look tells.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.model.quantities import show_count

_ASIDE = "__clobbers__"
_SHOWN = 3


@dataclass(frozen=True)
class Overlap:
    """``path`` (in the prefix) is the file of ``kept``; that of ``lost`` was put aside."""

    path: str
    kept: str
    lost: str


def overlaps(prefix: Path) -> tuple[Overlap, ...]:
    """All of them in a prefix that was just installed, sorted by path. Raises OSError."""
    lost = dict(_aside(prefix / _ASIDE))
    if not lost:
        return ()
    owners = _owners(prefix / "conda-meta", set(lost))
    found = (Overlap(path, owners.get(path, "another package"), lost[path]) for path in lost)
    return tuple(sorted(found, key=lambda one: one.path))


def in_words(found: Sequence[Overlap]) -> tuple[str, ...]:
    """One sentence for people; none where no packages overlap."""
    if not found:
        return ()
    told = [f"{one.path} is that of {one.kept}, not of {one.lost}" for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        told.append(f"and {show_count(len(found) - _SHOWN, 'file')} more")
    return (
        f"Packages overwrite each other's files: {'; '.join(told)}. "
        "What was overwritten may not work: leave one of the packages out.",
    )


def _aside(folder: Path) -> Iterator[tuple[str, str]]:
    """Path in the prefix and package of every file that was put aside."""
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        if inside.parts:
            path = Path(*inside.parts[1:])
            yield from ((str(path / name), inside.parts[0]) for name in names)


def _owners(notes: Path, paths: set[str]) -> dict[str, str]:
    """Which package has each of ``paths`` now."""
    found = {}
    for note in notes.glob("*.json"):
        package = json.loads(note.read_bytes())
        found.update(dict.fromkeys(paths.intersection(package["files"]), package["name"]))
    return found
