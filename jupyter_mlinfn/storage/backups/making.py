"""Making a copy and removing old ones; whatever kills it, only whole copies are seen.

A copy is made in ``.making-…`` and renamed when it is on the disk; an old one is renamed to
``.removing-…`` before anything of it goes. What a killed run left of both, the next one clears.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jupyter_mlinfn.model.errors import Conflict, InputError, MlinfnError, NotFound, Unavailable
from jupyter_mlinfn.model.quantities import show_memory
from jupyter_mlinfn.model.storage import BackupCopy
from jupyter_mlinfn.process.locks import acquire
from jupyter_mlinfn.storage.backups.copies import (
    ABOUT,
    FILES,
    copies_in,
    id_of,
    moment_of,
)
from jupyter_mlinfn.storage.backups.copying import Told, Tree, settle
from jupyter_mlinfn.storage.backups.rule import Rule
from jupyter_mlinfn.storage.descent import FOLDER, descend, facts_of, names_in, top

_LOCK: Final = ".lock"
_MAKING: Final = ".making-"
_REMOVING: Final = ".removing-"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Made:
    """A new copy, what was told on the way, and which old ones went."""

    copy: BackupCopy
    told: Told
    removed: tuple[str, ...]


def make_copy(source: Path, folder: Path, rule: Rule, now: datetime | None = None) -> Made:
    """Copy ``source`` into a new dated folder in ``folder``, then remove what ``rule`` lets go.

    Raises :class:`NotFound`, :class:`InputError` (one lies in the other), :class:`Conflict`
    (``backup-runs``) and :class:`Unavailable` (``disk-full``, ``backup-failed``); then all earlier
    copies are as they were.
    """
    _check(source, folder)
    moment = now or datetime.now(UTC)
    with _explained(folder), top(source) as live:
        _make_folder(folder, os.fstat(live))
        with _alone(folder), top(folder) as at:
            _clear(at)
            copy, told = _copied(live, at, folder, moment)
            removed = _let_go(at, folder, rule, moment)
    return Made(copy, told, removed)


def _check(source: Path, folder: Path) -> None:
    if not source.is_dir():
        raise NotFound(f"{source} is no folder.", code="no-such-folder", field="source")
    pair = [os.path.realpath(source), os.path.realpath(folder)]
    if os.path.commonpath(pair) in pair:
        raise InputError(
            f"{folder} and {source} must not lie one in the other: copies would hold copies.",
            code="bad-folder",
            field="to",
        )


def _make_folder(folder: Path, facts: os.stat_result) -> None:
    """The folder of the copies is seen by whom the area is seen by, and written by nobody else."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    if os.geteuid() == 0:
        os.chown(folder, 0, facts.st_gid)
    folder.chmod(stat.S_IMODE(facts.st_mode) & 0o755 | 0o700)


def _copied(live: int, at: int, folder: Path, moment: datetime) -> tuple[BackupCopy, Told]:
    earlier = copies_in(str(folder)).copies
    name = id_of(moment)
    if earlier and earlier[0].id >= name:
        text = f"There is a copy of {earlier[0].made_at:%Y-%m-%d %H.%M.%S} UTC already."
        raise Conflict(text, code="copy-exists")
    since = earlier[0].made_at.timestamp() if earlier else 0.0
    tree = Tree(device=os.fstat(live).st_dev, since=since)
    os.mkdir(_MAKING + name, 0o700, dir_fd=at)
    draft = os.open(_MAKING + name, FOLDER, dir_fd=at)
    try:
        os.mkdir(FILES, 0o700, dir_fd=draft)
        with descend(draft, (FILES,)) as target, _former(at, earlier) as former:
            tree.folder(live, target, former, ())
            settle(target, os.fstat(live))
        copy = _about(name, moment, tree.told)
        _write(draft, ABOUT, copy.model_dump_json(indent=1))
        _seal(draft, os.fstat(live))
        _to_disk(draft)
        os.rename(_MAKING + name, name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:
        remove_tree(at, _MAKING + name)
        raise
    finally:
        os.close(draft)
    return copy, tree.told


@contextmanager
def _former(at: int, earlier: Sequence[BackupCopy]) -> Iterator[int | None]:
    if not earlier:
        yield None
        return
    with descend(at, (earlier[0].id, FILES)) as folder:
        yield folder


def _about(name: str, moment: datetime, told: Told) -> BackupCopy:
    return BackupCopy(
        id=name,
        made_at=moment,
        files=told.files,
        size=told.size,
        added=told.added,
        changed=len(told.changed),
        unreadable=len(told.unreadable),
        skipped=len(told.skipped),
    )


def _write(at: int, name: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=at), "wb") as file:
        file.write(text.encode())
        os.fchmod(file.fileno(), 0o444)


def _seal(draft: int, facts: os.stat_result) -> None:
    """Let the copy be entered by whom the area was, and written by nobody."""
    if os.geteuid() == 0:
        os.fchown(draft, 0, facts.st_gid)
    os.fchmod(draft, stat.S_IMODE(facts.st_mode) & 0o555 | 0o500)


def _to_disk(folder: int) -> None:
    """Wait until the whole file system of an open folder is written (``syncfs(2)``)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(folder) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _let_go(at: int, folder: Path, rule: Rule, now: datetime) -> tuple[str, ...]:
    known = [copy.id for copy in copies_in(str(folder)).copies]
    kept = {id_of(moment) for moment in rule.kept(map(moment_of, known), now)}
    going = tuple(name for name in known if name not in kept)
    for name in going:
        os.rename(name, _REMOVING + name, src_dir_fd=at, dst_dir_fd=at)
    _clear(at)
    return going


def _clear(at: int) -> None:
    """Remove what is half: begun copies, and those on their way out."""
    for name in names_in(at):
        if name.startswith((_MAKING, _REMOVING)):
            remove_tree(at, name)


def remove_tree(at: int, name: str) -> None:
    """Remove a name and all below it, also where folders are read-only; no link is followed.

    Raises OSError.
    """
    facts = facts_of(at, name)
    if facts is None:
        return
    if not stat.S_ISDIR(facts.st_mode):
        os.unlink(name, dir_fd=at)
        return
    folder = os.open(name, FOLDER, dir_fd=at)
    try:
        if stat.S_IMODE(facts.st_mode) & 0o300 != 0o300:
            os.fchmod(folder, 0o700)
        for inner in names_in(folder):
            remove_tree(folder, inner)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=at)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    held = acquire(folder / _LOCK)
    if held is None:
        text = f"Another program is making a copy in {folder}. Let it end first."
        raise Conflict(text, code="backup-runs")
    try:
        yield
    finally:
        os.close(held)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except MlinfnError:
        raise
    except OSError as error:
        full = error.errno in _FULL
        raise Unavailable(
            f"No room is left for a new copy in {folder}{_room(folder)}. "
            "All earlier copies are kept. Make room, or keep fewer copies."
            if full
            else f"The copy was not made: {error.strerror or error}. All earlier copies are kept.",
            code="disk-full" if full else "backup-failed",
        ) from error


def _room(folder: Path) -> str:
    if not folder.is_dir():
        return ""
    facts = os.statvfs(folder)
    return f" ({show_memory(facts.f_bavail * facts.f_frsize)} free)"
