"""Bringing one file or folder of a copy back, with the rights of whoever asks; nothing is lost.

It is copied into a draft in the area's hidden folder first. Then it takes its name at once: a new
one beside the present one, or the old one, whose present bearer changes places with the draft and
goes to the area's trash. Killed at any moment, what people see is what was or what is restored.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, NotFound, Refused, Unavailable
from jupyter_mlinfn.model.storage import RestoreRequest
from jupyter_mlinfn.process.exchanging import exchange, rename_if_free
from jupyter_mlinfn.storage.backups.copies import moment_of, opened
from jupyter_mlinfn.storage.backups.copying import copy_content
from jupyter_mlinfn.storage.backups.making import remove_tree
from jupyter_mlinfn.storage.descent import (
    FILE,
    FOLDER,
    descend,
    facts_of,
    is_other_kind,
    names_in,
    open_below,
    parts_of,
    shown,
    top,
)
from jupyter_mlinfn.storage.keeping import DRAFTS, HIDDEN, TRASH, kept_in

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_MOST_NAMES: Final = 100
_OLD_DRAFT: Final = 2 * 86400


class Cancelled(Exception):
    """Somebody asked to stop; nothing was changed."""


@dataclass
class Progress:
    """How much is copied; ``stop`` is asked between two files."""

    files: int = 0
    size: int = 0
    missed: int = 0
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Restored:
    """Where it lies now, and where the former one does, both relative to the area."""

    result: str
    trash: str | None = None


def restore(area: Area, asked: RestoreRequest, draft: str, progress: Progress) -> Restored:
    """Bring it back; ``draft`` is a name of one's own among the drafts.

    Raises :class:`NotFound`, :class:`InputError`, :class:`Refused`, :class:`Conflict`,
    :class:`Unavailable` (``disk-full``) and :class:`Cancelled`; then nothing was changed.
    """
    parts = parts_of(asked.path)
    if not parts or parts[0] == HIDDEN:
        raise Refused("Restore a file or a folder, not the whole area.", code="whole-area")
    if not area.writable:
        raise Refused(f"You may not write into {area.title}.", code="read-only", field="area")
    try:
        with opened(area, asked.copy_id) as copy, top(area.path) as live:
            return _Restoring(area, asked, draft, progress, copy, live, parts).run()
    except OSError as error:
        raise _explained(error, shown(parts[-1])) from error


@dataclass
class _Restoring:
    area: Area
    asked: RestoreRequest
    draft: str
    progress: Progress
    copy: int
    live: int
    parts: tuple[str, ...]

    def run(self) -> Restored:
        with self._source() as source, kept_in(self.live, DRAFTS) as drafts:
            _forget_old(drafts)
            try:
                self._copied(source, self.parts[-1], drafts, self.draft, group=self._group())
                with self._target() as target:
                    return self._placed(drafts, target)
            finally:
                remove_tree(drafts, self.draft)

    def _source(self) -> _Opened:
        try:
            folder = open_below(self.copy, self.parts[:-1])
        except OSError as error:
            if is_other_kind(error) or isinstance(error, FileNotFoundError):
                raise _no_such(self.parts) from error
            raise
        return _Opened(folder)

    def _group(self) -> bool:
        return bool(os.fstat(self.live).st_mode & stat.S_IWGRP)

    def _copied(self, source: int, name: str, target: int, to: str, *, group: bool) -> None:
        """Copy one name with all below it."""
        if self.progress.stop():
            raise Cancelled
        facts = facts_of(source, name)
        if facts is None:
            raise _no_such((*self.parts[:-1], name))
        if stat.S_ISLNK(facts.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), to, dir_fd=target)
        elif stat.S_ISDIR(facts.st_mode):
            self._folder(source, name, target, to, group=group)
        elif stat.S_ISREG(facts.st_mode):
            self._file(source, name, target, to, group=group)
        else:
            text = f"{shown(name)} is neither a file nor a folder. It cannot be restored."
            raise Refused(text, code="not-a-file", field="path")

    def _folder(self, source: int, name: str, target: int, to: str, *, group: bool) -> None:
        inner = os.open(name, FOLDER, dir_fd=source)
        try:
            os.mkdir(to, 0o700, dir_fd=target)
            with descend(target, (to,)) as made:
                for one in sorted(names_in(inner)):
                    try:
                        self._copied(inner, one, made, one, group=group)
                    except (PermissionError, Refused):
                        self.progress.missed += 1  # what others alone could read stays theirs
                _settle(made, os.fstat(inner), group=group, least=0o700)
        finally:
            os.close(inner)

    def _file(self, source: int, name: str, target: int, to: str, *, group: bool) -> None:
        handle = os.open(name, FILE, dir_fd=source)
        try:
            facts = os.fstat(handle)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            made = os.open(to, flags, 0o600, dir_fd=target)
            try:
                copy_content(handle, made, self._look)
                _settle(made, facts, group=group, least=0o600)
            finally:
                os.close(made)
        finally:
            os.close(handle)
        self.progress.files += 1
        self.progress.size += facts.st_size

    def _look(self) -> None:
        if self.progress.stop():
            raise Cancelled

    def _target(self) -> _Opened:
        """The folder it goes to, made again where it went too."""
        at = os.dup(self.live)
        for part in self.parts[:-1]:
            try:
                try:
                    below = os.open(part, FOLDER, dir_fd=at)
                except FileNotFoundError:
                    os.mkdir(part, 0o777, dir_fd=at)
                    below = os.open(part, FOLDER, dir_fd=at)
            except OSError as error:
                if is_other_kind(error):
                    raise Conflict(
                        f"'{shown(part)}' is no folder any more, so nothing can go back into it. "
                        "Move it away first; nothing was changed.",
                        code="in-the-way",
                    ) from error
                raise
            finally:
                os.close(at)
            at = below
        return _Opened(at)

    def _placed(self, drafts: int, target: int) -> Restored:
        way = self.parts[:-1]
        if self.asked.where == "beside":
            name = self._free_name(drafts, target)
            return Restored(shown("/".join((*way, name))))
        name = self.parts[-1]
        if _take_name(drafts, self.draft, target, name):
            return Restored(shown("/".join((*way, name))))
        with kept_in(self.live, TRASH) as trash:
            kept = f"{time.strftime('%Y-%m-%d %H.%M.%S')} {self.draft}"
            os.mkdir(kept, 0o700, dir_fd=trash)
            with descend(trash, (kept,)) as folder:
                # it may be a colleague's: whoever sees the trash may take it back
                os.fchmod(folder, stat.S_IMODE(os.fstat(trash).st_mode) & ~stat.S_ISVTX)
                os.rename(self.draft, name, src_dir_fd=drafts, dst_dir_fd=folder)
                try:
                    # in one step the draft gets its place and the former one is in the trash
                    exchange(_through(folder, name), _through(target, name))
                except OSError:
                    os.rename(name, self.draft, src_dir_fd=folder, dst_dir_fd=drafts)
                    os.rmdir(kept, dir_fd=trash)
                    raise
        where = shown("/".join((HIDDEN, TRASH, kept, name)))
        return Restored(shown("/".join((*way, name))), trash=where)

    def _free_name(self, drafts: int, target: int) -> str:
        """Take the first free name beside: ``fit (restored 2026-11-20 14.00).ipynb``."""
        path = PurePath(self.parts[-1])
        moment = moment_of(self.asked.copy_id).astimezone()
        for number in range(1, _MOST_NAMES):
            again = f" {number}" if number > 1 else ""
            suffix = path.suffix
            stem = path.name.removesuffix(suffix) if suffix else path.name
            name = f"{stem} (restored {moment:%Y-%m-%d %H.%M}{again}){suffix}"
            if len(os.fsencode(name)) > 255:
                name = f"{number} (restored {moment:%Y-%m-%d %H.%M}){suffix}"
            if _take_name(drafts, self.draft, target, name):
                return name
        raise Conflict(
            "There are many restored ones beside it already. Remove some first.", code="too-many"
        )


class _Opened:
    """An open folder that is closed at the end of its block."""

    def __init__(self, folder: int) -> None:
        self.folder = folder

    def __enter__(self) -> int:
        return self.folder

    def __exit__(self, *_: object) -> None:
        os.close(self.folder)


def _take_name(drafts: int, draft: str, target: int, name: str) -> bool:
    """Give the draft its name, unless something bears it already."""
    return rename_if_free(_through(drafts, draft), _through(target, name))


def _through(folder: int, name: str) -> Path:
    """A name in an open folder as a path that no swapped folder leads astray."""
    return Path(f"/proc/self/fd/{folder}", name)


def _settle(made: int, facts: os.stat_result, *, group: bool, least: int) -> None:
    """Writable again: for the owner, and for the group where the area is the group's."""
    mode = stat.S_IMODE(facts.st_mode) & 0o555 | least
    if group:
        mode |= (mode & 0o040) >> 1
    if stat.S_ISDIR(facts.st_mode):
        mode |= stat.S_IMODE(os.fstat(made).st_mode) & stat.S_ISGID
    os.fchmod(made, mode)
    os.utime(made, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _forget_old(drafts: int) -> None:
    """Clear what restores of one's own left that were killed days ago."""
    for name in names_in(drafts):
        facts = facts_of(drafts, name)
        if facts is None or facts.st_uid != os.geteuid():
            continue
        if time.time() - facts.st_ctime > _OLD_DRAFT:
            with suppress(OSError):  # it costs room, no more
                remove_tree(drafts, name)


def _no_such(parts: tuple[str, ...]) -> NotFound:
    text = f"'{shown('/'.join(parts))[:200]}' is not in this copy."
    return NotFound(text, code="no-such-path", field="path")


def _explained(error: OSError, name: str) -> MlinfnError:
    if error.errno in _FULL:
        return Unavailable(
            f"No room is left to restore {name}. Nothing was changed. Remove something first, "
            f"for example what lies in {HIDDEN}/{TRASH}.",
            code="disk-full",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refused(
            f"You have no right to do this with {name} ({error.strerror}). Nothing was changed. "
            "Restore it beside, or ask its owner.",
            code="no-right",
        )
    return Unavailable(
        f"{name} was not restored: {error.strerror or error}. Nothing was changed.",
        code="restore-failed",
    )
