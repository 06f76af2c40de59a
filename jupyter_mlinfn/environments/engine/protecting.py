"""Shared files of a prefix: that an edit in place cannot reach the others that share them.

Hard links of one file have one content and one mode, so it is enough to take write permission
from the unpacked packages in the cache, once. An editor then cannot change such a file in place;
it (like pip) writes a new file and renames it, which parts the two. Folders stay writable for
that reason. (root writes all the same: see ``committing.whole`` and ``manifest``.)
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Literal

_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_FICLONE = 0x40049409
"""``ioctl_ficlone(2)``: share the blocks of a file until one of the two is written."""
_LOOKED_AT = 2000
_SCRIPT = "-post-link.sh"

Way = Literal["hard links", "shared blocks", "copies"]


@dataclass(frozen=True)
class Protected:
    """How files came into the prefix; ``scripts`` are post-link scripts, which are never run."""

    way: Way
    scripts: tuple[str, ...]


def protect(prefix: Path, packages: Iterable[str], cache: Path) -> Protected:
    """Take write permission from the files that ``prefix`` shares with the cache.

    ``packages`` are the names of unpacked packages (``numpy-2.3.5-py311_0``). Raises OSError.
    """
    way = _way(prefix, cache)
    if way == "hard links":
        for name in packages:
            _protect_package(cache, name)
    return Protected(way, tuple(sorted(_scripts(prefix / "bin"))))


def _protect_package(cache: Path, name: str) -> None:
    """Once for every time that the package is unpacked, known by its folder's inode."""
    folder, marker = cache / name, cache / ".protected" / name
    known = str(folder.stat().st_ino)
    if marker.is_file() and marker.read_text() == known:
        return
    for entry in _files(folder):
        mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
        if mode & _WRITE:
            os.chmod(entry.path, mode & ~_WRITE)  # noqa: PTH101 - many files
    marker.parent.mkdir(mode=0o700, exist_ok=True)
    marker.write_text(known)


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All regular files below ``folder``."""
    todo = [str(folder)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry


def _scripts(folder: Path) -> Iterator[str]:
    """The packages that have a script for after their installation."""
    if folder.is_dir():
        for path in folder.glob(f".*{_SCRIPT}"):
            yield path.name.removeprefix(".").removesuffix(_SCRIPT)


def _way(prefix: Path, cache: Path) -> Way:
    """Look for a hard link; else try what rattler tries first, with two files of one byte."""
    for number, entry in enumerate(_files(prefix)):
        if entry.stat(follow_symlinks=False).st_nlink > 1:
            return "hard links"
        if number == _LOOKED_AT:
            break
    source, copy = cache / ".reflink-source", prefix / ".reflink-copy"
    try:
        source.write_bytes(b"x")
        with source.open("rb") as original, copy.open("wb") as file:
            ioctl(file.fileno(), _FICLONE, original.fileno())
    except OSError:
        return "copies"
    else:
        return "shared blocks"
    finally:
        source.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
