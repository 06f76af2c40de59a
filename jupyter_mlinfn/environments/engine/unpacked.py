"""Unpacked packages in the cache, whose files the prefixes share by hard links.

Hard links of one file have one content and one mode. Without write permission an editor cannot
change such a file in place; it (like pip) writes a new file and renames it, which parts the two.
So write permission is taken from the files once for every time that a package is unpacked. root
writes all the same: an edit in place shows in the file's time, and the package is unpacked anew
before another environment gets it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class _Mark:
    """What is noted of an unpacked package: its folder's inode, and its newest file's time."""

    inode: int
    newest: int


def protect(cache: Path, names: Iterable[str]) -> None:
    """Take write permission from all files of the packages ``names``. Raises OSError."""
    for name in names:
        folder, mark = cache / name, _read(cache, name)
        try:
            inode = folder.stat().st_ino
            if mark is None or mark.inode != inode:
                _write(cache, name, _Mark(inode, _protect_files(folder)))
        except FileNotFoundError:
            continue  # another task has just removed it, to unpack it anew


def edited(cache: Path, names: Iterable[str]) -> list[str]:
    """Which of the packages ``names`` have files that were written after they were unpacked."""
    found = []
    for name in names:
        folder, mark = cache / name, _read(cache, name)
        if mark is None or not folder.is_dir() or folder.stat().st_ino != mark.inode:
            continue  # it will be unpacked, or has just been
        times = (entry.stat(follow_symlinks=False).st_mtime_ns for entry in files(folder))
        if any(time > mark.newest for time in times):
            found.append(name)
    return found


def forget(cache: Path, names: Iterable[str]) -> None:
    """Remove unpacked packages; who shares their files keeps them."""
    for name in names:
        (cache / ".protected" / name).unlink(missing_ok=True)
        aside = cache / f".gone-{secrets.token_hex(4)}"
        (cache / name).rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All regular files below ``folder``. Raises OSError."""
    todo = [str(folder)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry


def _protect_files(folder: Path) -> int:
    newest = 0
    for entry in files(folder):
        facts = entry.stat(follow_symlinks=False)
        newest = max(newest, facts.st_mtime_ns)
        if facts.st_mode & _WRITE:
            os.chmod(entry.path, stat.S_IMODE(facts.st_mode) & ~_WRITE)  # noqa: PTH101 - many
    return newest


def _read(cache: Path, name: str) -> _Mark | None:
    try:
        inode, newest = (cache / ".protected" / name).read_text().split()
        return _Mark(int(inode), int(newest))
    except (OSError, ValueError):
        return None


def _write(cache: Path, name: str, mark: _Mark) -> None:
    path = cache / ".protected" / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(f"{mark.inode} {mark.newest}")
