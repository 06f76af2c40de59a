"""The copies there are of an area, and what lies in them. Nothing here changes a thing."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import NotFound, Refused
from jupyter_mlinfn.model.storage import (
    BackupCopy,
    BackupEntry,
    BackupFolder,
    BackupList,
    DeletedFiles,
    EntryKind,
)
from jupyter_mlinfn.storage.descent import (
    DEEPEST,
    FILE,
    descend,
    facts_of,
    is_other_kind,
    key_of,
    names_in,
    open_below,
    parts_of,
    shown,
    top,
)

ABOUT: Final = "about.json"
FILES: Final = "files"
COPY_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)

_KINDS: Final[dict[int, EntryKind]] = {
    stat.S_IFDIR: "folder",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "link",
}
_LARGEST: Final = 64 * 1024
_LISTED: Final = 1000
_FOUND: Final = 200
_LOOKED: Final = 20.0
"""Seconds that a search for what was deleted may take; what it found by then is told."""


def id_of(moment: datetime) -> str:
    """The name of a copy that is begun at ``moment``."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def moment_of(copy: str) -> datetime:
    """When a copy was begun. Raises ValueError for a name that is none."""
    return datetime.strptime(copy, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def copies_in(folder: str) -> BackupList:
    """All whole copies, newest first; folders of other names are none. Raises OSError."""
    with top(folder) as at:
        names = sorted((name for name in names_in(at) if COPY_ID.fullmatch(name)), reverse=True)
        found = [_about(at, name) for name in names]
    return BackupList(copies=tuple(copy for copy in found if copy is not None))


def _about(at: int, name: str) -> BackupCopy | None:
    """What a copy says of itself; one that cannot say is none."""
    try:
        with descend(at, (name,)) as folder:
            handle = os.open(ABOUT, FILE, dir_fd=folder)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            told = BackupCopy.model_validate_json(file.read(_LARGEST))
        return told if told.id == name and moment_of(name) else None
    except (OSError, ValidationError, ValueError):
        return None


def folder_with_copies(area: Area) -> str:
    """Where an area's copies lie. Raises :class:`NotFound` (``no-backups``)."""
    if area.snapshots is None:
        raise NotFound(f"No backups are kept of {area.title}.", code="no-backups", field="area")
    return area.snapshots


@contextmanager
def opened(area: Area, copy: str) -> Iterator[int]:
    """The files of a copy of this area. Raises :class:`NotFound` (``no-such-copy``), OSError."""
    check_copy(copy)
    with top(folder_with_copies(area)) as at:
        try:
            folder = open_below(at, (copy, FILES))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _no_copy(copy) from error
    try:
        yield folder
    finally:
        os.close(folder)


def check_copy(copy: str) -> str:
    """``copy``, if it can be the name of one. Raises :class:`NotFound` (``no-such-copy``)."""
    if not COPY_ID.fullmatch(copy):
        raise _no_copy(copy)
    return copy


def _no_copy(copy: str) -> NotFound:
    return NotFound(
        f"There is no copy {copy[:40]!r} any more. Look at the list of copies again.",
        code="no-such-copy",
        field="copy_id",
    )


def list_folder(area: Area, copy: str, key: str) -> BackupFolder:
    """What lies in a folder of a copy, what was deleted since on top.

    Raises :class:`NotFound` for what is not in the copy, :class:`InputError` for no path,
    :class:`Refused` for what may not be read, OSError.
    """
    parts = parts_of(key)
    with opened(area, copy) as root, _found(root, parts) as folder, top(area.path) as live:
        names = names_in(folder)
        present = _names_at(live, parts)
        entries = [
            entry
            for name in names
            if (entry := _entry(folder, (*parts, name), deleted=name not in present))
        ]
    entries.sort(key=lambda one: (not one.deleted, one.kind != "folder", one.name.casefold()))
    more = max(0, len(entries) - _LISTED)
    return BackupFolder(copy_id=copy, path=key, entries=tuple(entries[:_LISTED]), more=more)


@contextmanager
def _found(root: int, parts: Sequence[str]) -> Iterator[int]:
    try:
        folder = open_below(root, parts)
    except PermissionError as error:
        text = "This folder was not readable for you, so its copy is not either."
        raise Refused(text, code="not-readable", field="path") from error
    except OSError as error:
        if not is_other_kind(error) and not isinstance(error, FileNotFoundError):
            raise
        raise NotFound("There is no such folder in this copy.", code="no-such-path") from error
    try:
        yield folder
    finally:
        os.close(folder)


def _names_at(live: int, parts: Sequence[str]) -> frozenset[str]:
    """The names in a folder of the area as it is now; none where it is no folder any more."""
    try:
        with descend(live, parts) as folder:
            return frozenset(names_in(folder))
    except OSError as error:
        if is_other_kind(error) or isinstance(error, FileNotFoundError):
            return frozenset()
        raise


def _entry(folder: int, parts: Sequence[str], *, deleted: bool) -> BackupEntry | None:
    facts = facts_of(folder, parts[-1])
    if facts is None:
        return None
    kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "other")
    return BackupEntry(
        name=shown(parts[-1]),
        path=key_of(parts),
        kind=kind,
        size=facts.st_size if kind == "file" else None,
        modified=datetime.fromtimestamp(facts.st_mtime, UTC),
        deleted=deleted,
    )


def deleted_since(area: Area, copy: str) -> DeletedFiles:
    """What a copy holds and the area does not any more: of each the topmost name.

    Raises as :func:`list_folder`. What may not be read is passed over.
    """
    found: list[BackupEntry] = []
    until = time.monotonic() + _LOOKED
    complete = True
    with opened(area, copy) as root, top(area.path) as live:
        pending: list[tuple[str, ...]] = [()]
        while pending and complete:
            parts = pending.pop(0)
            try:
                with descend(root, parts) as then, descend(live, parts) as now:
                    pending += _compare(then, now, parts, found)
            except OSError:
                continue  # not readable, or gone while we look
            complete = len(found) <= _FOUND and time.monotonic() < until
    found.sort(key=lambda one: (one.kind != "folder", one.path.casefold()))
    whole = complete and len(found) <= _FOUND
    return DeletedFiles(copy_id=copy, entries=tuple(found[:_FOUND]), complete=whole)


def _compare(
    then: int, now: int, parts: tuple[str, ...], found: list[BackupEntry]
) -> Iterator[tuple[str, ...]]:
    """Add what is not there any more to ``found``; the folders that are in both."""
    present = frozenset(names_in(now))
    for name in sorted(names_in(then)):
        here = (*parts, name)
        if name not in present:
            if entry := _entry(then, here, deleted=True):
                found.append(entry)
        elif len(here) < DEEPEST:
            facts = facts_of(then, name)
            if facts is not None and stat.S_ISDIR(facts.st_mode):
                yield here
