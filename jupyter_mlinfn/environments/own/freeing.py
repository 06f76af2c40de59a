"""What removing folders gives back, and removing them so that no half of one is left."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 512
"""Unit of ``st_blocks``, whatever the file system (stat(2))."""
DELETED = ".deleted-"


@dataclass(frozen=True)
class Freed:
    """Bytes of disk and files that are gone. Files that others share free no disk."""

    size: int = 0
    files: int = 0

    def __add__(self, other: Freed) -> Freed:
        return Freed(self.size + other.size, self.files + other.files)


def would_free(paths: Iterable[Path]) -> Freed:
    """What removing all of ``paths`` together would free. What cannot be read counts nothing."""
    links: dict[tuple[int, int], list[int]] = {}
    files = 0
    for path in paths:
        for facts in _all_below(path):
            files += 1
            seen = links.setdefault(
                (facts.st_dev, facts.st_ino), [0, facts.st_nlink, facts.st_blocks * _BLOCK]
            )
            seen[0] += 1
    size = sum(blocks for seen, names, blocks in links.values() if seen >= names)
    return Freed(size, files)


def remove(path: Path, aside: Path) -> None:
    """Remove a file or folder; nobody ever sees half of it under its name.

    ``aside`` is a folder on the same file system: a removal that is cut off leaves a folder
    there that begins with ``.deleted-``. Raises OSError.
    """
    target = aside / f"{DELETED}{path.name}-{secrets.token_hex(4)}"
    path.rename(target)
    clear(target)


def clear(path: Path) -> None:
    """Remove a file or folder, also one whose folders are closed for writing. Raises OSError."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o700)
        shutil.rmtree(path)


def _all_below(path: Path) -> Iterable[os.stat_result]:
    """The facts of every file below ``path``, or of the file itself; links are not followed."""
    if path.is_symlink() or path.is_file():
        yield path.lstat()
        return
    todo = [str(path)]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        yield entry.stat(follow_symlinks=False)
        except OSError:
            continue  # gone, or closed to us: it is not counted
