"""Unpacked packages in the cache, whose files the prefixes share by hard links.

Hard links of one file have one content and one mode. Without write permission an editor cannot
change such a file in place; it (like pip) writes a new file and renames it, which parts the two.
So write permission is taken from the files once for every time that a package is unpacked. root
writes all the same: an edit in place shows in the file's time, and the package is unpacked anew
before another environment gets it.

The look at every file that this takes also serves the prefixes: a hard link has the inode of the
file in the cache, so what was seen there need not be looked at again (:class:`Seen`).
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlinfn.environments.own.manifest import Entry

_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class _Mark:
    """What is noted of an unpacked package: its folder's inode, and its newest file's time."""

    inode: int
    newest: int


@dataclass
class Seen:
    """What a look through unpacked packages found.

    ``edited`` are packages with files that were written after they were unpacked. ``files`` are
    the others' files by inode, as a manifest notes them; a link to one is the same file.
    """

    edited: list[str] = field(default_factory=list)
    files: dict[int, Entry] = field(default_factory=dict)
    _folders: list[tuple[Path, int]] = field(default_factory=list)

    def still_there(self) -> bool:
        """Whether all packages are still the ones looked through.

        Before that was asked, an inode may have been freed and given to another file.
        """
        return all(_inode(folder) == inode for folder, inode in self._folders)

    def add(self, folder: Path, mark: _Mark, device: int) -> bool:
        """Look through the package in ``folder``; whether it is as it was unpacked."""
        noted, base = _noted(folder), len(str(folder)) + 1
        found: dict[int, Entry] = {}
        for entry in files(folder):
            facts = entry.stat(follow_symlinks=False)
            if facts.st_mtime_ns > mark.newest:
                return False
            digest, size = noted.get(entry.path[base:], ("", -1))
            if size == facts.st_size and facts.st_dev == device:
                mode = stat.S_IMODE(facts.st_mode)
                found[facts.st_ino] = (mode, size, facts.st_mtime_ns, digest)
        self.files.update(found)
        self._folders.append((folder, mark.inode))
        return True


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


def look_through(cache: Path, names: Iterable[str], device: int) -> Seen:
    """Look at all files of the packages ``names``, of those that were protected once.

    ``files`` are those on the file system ``device``: elsewhere their inodes mean others.
    """
    seen = Seen()
    for name in names:
        folder, mark = cache / name, _read(cache, name)
        if mark is None or _inode(folder) != mark.inode:
            continue  # it will be unpacked, or has just been
        try:
            if not seen.add(folder, mark, device):
                seen.edited.append(name)
        except FileNotFoundError:
            continue  # another task has just removed it, to unpack it anew
    return seen


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


def _inode(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except FileNotFoundError:
        return None


def _noted(folder: Path) -> dict[str, tuple[str, int]]:
    """SHA-256 and size of the files of a package that are the same in every prefix."""
    try:
        listed = json.loads((folder / "info" / "paths.json").read_bytes())["paths"]
        return {
            item["_path"]: (item["sha256"], item["size_in_bytes"])
            for item in listed
            if item.get("sha256") and not item.get("prefix_placeholder")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # an old or odd package: its files are looked at where they are linked


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
