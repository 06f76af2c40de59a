"""Copying one folder with all that is below it into a copy; by our own walk, not by rsync.

Why not ``rsync --link-dest``: it opens its paths whole, so that a folder somebody swaps for a link
while it runs can lead out; it does not tell what changed under its hands; and the linked files
would belong to people who may make them writable again. Here every name is opened in its folder,
and what a group can read belongs, in the copy, to whoever makes the copies: nobody else can change
it. Files are linked between copies alone, never to the live ones, which people go on writing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from jupyter_mlinfn.storage.descent import (
    DEEPEST,
    FILE,
    FOLDER,
    facts_of,
    names_in,
    open_below,
    shown,
)
from jupyter_mlinfn.storage.keeping import HIDDEN

PIECE: Final = 2**20
_TRIES: Final = 3
_MARGIN: Final = 120.0
"""Seconds that the clocks of a file server and of this machine may differ."""
_GONE: Final = (errno.ENOENT, errno.ESTALE)
_UNREADABLE: Final = (errno.EACCES, errno.EPERM, errno.EIO)
_SWAPPED: Final = (errno.ELOOP, errno.ENOTDIR, errno.ENXIO)
"""Between the look at a name and its opening, something else took its place."""
_NO_LINK: Final = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP})


@dataclass
class Told:
    """What happened on the way; names for the admin's eyes."""

    files: int = 0
    size: int = 0
    added: int = 0
    changed: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


@dataclass
class Tree:
    """One copy on its way. ``since``: when the former copy was begun, seconds of the epoch."""

    device: int
    since: float
    told: Told = field(default_factory=Told)

    def folder(self, source: int, target: int, former: int | None, way: tuple[str, ...]) -> None:
        """Copy what lies in ``source`` into ``target``; all three are open folders."""
        for name in sorted(names_in(source)):
            if not way and name == HIDDEN:
                continue  # notes, trash and drafts are no work of anybody
            try:
                facts = facts_of(source, name)
                if facts is not None:
                    self._one(source, target, former, (*way, name), facts)
            except OSError as error:
                if error.errno in _UNREADABLE:
                    self.told.unreadable.append(_line((*way, name)))
                elif error.errno in _SWAPPED:
                    self.told.changed.append(_line((*way, name)))
                elif error.errno not in _GONE:
                    raise

    def _one(
        self,
        source: int,
        target: int,
        former: int | None,
        way: tuple[str, ...],
        facts: os.stat_result,
    ) -> None:
        name = way[-1]
        if stat.S_ISDIR(facts.st_mode):
            self._below(source, target, former, way, facts)
        elif stat.S_ISREG(facts.st_mode):
            self._file(source, target, former, way)
        elif stat.S_ISLNK(facts.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            times = (facts.st_atime_ns, facts.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)
        else:
            self.told.skipped.append(_line(way))

    def _below(
        self,
        source: int,
        target: int,
        former: int | None,
        way: tuple[str, ...],
        facts: os.stat_result,
    ) -> None:
        name = way[-1]
        if facts.st_dev != self.device or len(way) >= DEEPEST:
            self.told.skipped.append(_line(way))
            return
        inner = os.open(name, FOLDER, dir_fd=source)
        try:
            facts = os.fstat(inner)
            os.mkdir(name, 0o700, dir_fd=target)
            made = os.open(name, FOLDER, dir_fd=target)
            try:
                old = _former(former, name)
                try:
                    self.folder(inner, made, old, way)
                finally:
                    if old is not None:
                        os.close(old)
                settle(made, facts)
            finally:
                os.close(made)
        finally:
            os.close(inner)

    def _file(self, source: int, target: int, former: int | None, way: tuple[str, ...]) -> None:
        name = way[-1]
        handle = os.open(name, FILE, dir_fd=source)
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                self.told.changed.append(_line(way))
                return
            if former is None or not self._linked(handle, facts, former, target, name):
                self._written(handle, target, way)
            self.told.files += 1
            self.told.size += facts.st_size
        finally:
            os.close(handle)

    def _linked(
        self, handle: int, facts: os.stat_result, former: int, target: int, name: str
    ) -> bool:
        """Let the copy share the file of the former copy, where nothing changed since."""
        old = facts_of(former, name)
        if old is None or not _alike(facts, old):
            return False
        if facts.st_ctime >= self.since - _MARGIN and not _same_content(handle, former, name):
            return False
        try:
            os.link(name, name, src_dir_fd=former, dst_dir_fd=target, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_LINK:
                return False
            raise
        return True

    def _written(self, handle: int, target: int, way: tuple[str, ...]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        made = os.open(way[-1], flags, 0o600, dir_fd=target)
        try:
            for _ in range(_TRIES):
                before = os.fstat(handle)
                copy_content(handle, made)
                if _state(before) == _state(os.fstat(handle)):
                    break
            else:
                self.told.changed.append(_line(way))
            settle(made, before)
            self.told.added += before.st_size
        finally:
            os.close(made)


def copy_content(source: int, target: int, look: Callable[[], None] | None = None) -> None:
    """Copy an open file, holes as holes; ``look`` is called after each piece. Raises OSError."""
    os.ftruncate(target, 0)
    end = position = 0
    size = os.fstat(source).st_size
    while position < size:
        try:
            position = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # only a hole is left
        end = os.lseek(source, position, os.SEEK_HOLE)
        while position < end:
            piece = os.pread(source, min(PIECE, end - position), position)
            if not piece:
                break  # it became shorter
            _write_all(target, piece, position)
            position += len(piece)
            if look is not None:
                look()
        else:
            continue
        break
    os.ftruncate(target, size)


def _write_all(target: int, piece: bytes, position: int) -> None:
    view = memoryview(piece)
    while view:
        written = os.pwrite(target, view, position)
        view, position = view[written:], position + written


def settle(made: int, facts: os.stat_result) -> None:
    """Let the copy be readable for whom the original was, and writable for nobody.

    What a group or everybody could read belongs to the maker; what its owner alone could read
    stays hers, else she could not read it.
    """
    mode = _mode(facts)
    own = os.geteuid() if mode & 0o044 else facts.st_uid
    if os.geteuid() == 0:
        os.fchown(made, own, facts.st_gid)
    os.fchmod(made, mode)
    os.utime(made, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _mode(facts: os.stat_result) -> int:
    return stat.S_IMODE(facts.st_mode) & 0o555


def _alike(facts: os.stat_result, old: os.stat_result) -> bool:
    """Whether the copy of a file with these facts would look like ``old``."""
    mode = _mode(facts)
    alike = (
        stat.S_ISREG(old.st_mode)
        and old.st_size == facts.st_size
        and old.st_mtime_ns == facts.st_mtime_ns
        and stat.S_IMODE(old.st_mode) == mode
    )
    if os.geteuid() == 0:
        own = 0 if mode & 0o044 else facts.st_uid
        alike = alike and (old.st_uid, old.st_gid) == (own, facts.st_gid)
    return alike


def _same_content(handle: int, former: int, name: str) -> bool:
    other = os.open(name, FILE, dir_fd=former)
    try:
        position = 0
        while True:
            mine, theirs = os.pread(handle, PIECE, position), os.pread(other, PIECE, position)
            if mine != theirs:
                return False
            if not mine:
                return True
            position += len(mine)
    finally:
        os.close(other)


def _former(former: int | None, name: str) -> int | None:
    """The same folder of the former copy, where it has one that can be read."""
    if former is None:
        return None
    try:
        return open_below(former, (name,))
    except OSError:
        return None


def _state(facts: os.stat_result) -> tuple[int, int, int]:
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _line(way: tuple[str, ...]) -> str:
    return shown("/".join(way))
