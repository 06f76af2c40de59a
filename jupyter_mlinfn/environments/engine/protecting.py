"""Shared files of a prefix: which there are, and that an edit in place cannot reach the others.

Hard links of one file have one content and one mode. Without write permission an editor cannot
change it in place; it (like pip) writes a new file and renames it, which parts the two. Folders
stay writable for that reason. (root writes all the same.)
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Literal

_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_FICLONE = 0x40049409
"""``ioctl_ficlone(2)``: share the blocks of a file until one of the two is written."""

Way = Literal["hard links", "shared blocks", "copies"]


@dataclass(frozen=True)
class Protected:
    """How files came into the prefix, and how many are shared."""

    way: Way
    shared: int
    scripts: tuple[str, ...]


def protect(prefix: Path, cache: Path) -> Protected:
    """Take write permission from every hard-linked file of ``prefix``. Raises OSError.

    ``scripts`` are post-link scripts of packages: they are never run.
    """
    shared = 0
    scripts: list[str] = []
    todo = [str(prefix)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    shared += _protect_file(entry)
                    if entry.name.endswith("-post-link.sh") and entry.name.startswith("."):
                        scripts.append(entry.name.removesuffix("-post-link.sh")[1:])
    way: Way = "hard links" if shared else _way_without_links(prefix, cache)
    return Protected(way, shared, tuple(sorted(scripts)))


def _protect_file(entry: os.DirEntry[str]) -> int:
    facts = entry.stat(follow_symlinks=False)
    if facts.st_nlink < 2:
        return 0
    if facts.st_mode & _WRITE:
        os.chmod(entry.path, stat.S_IMODE(facts.st_mode) & ~_WRITE)  # noqa: PTH101 - many files
    return 1


def _way_without_links(prefix: Path, cache: Path) -> Way:
    """Try what rattler tries first, with two files of one byte."""
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
