"""Going down from a folder name by name, never through a link.

What lies in an area was put there by people, and may change between two looks. So a path is never
handed to the system whole: each part is opened in the folder before it, and a link, a pipe or a
file where a folder should be ends the way (``open(2)``: ``O_NOFOLLOW`` guards the last part alone).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from jupyter_mlinfn.model.errors import InputError

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Opening a pipe for reading does not wait, and no terminal becomes ours."""

DEEPEST: Final = 128
"""Folders within folders; each level holds descriptors open."""

_LONGEST = 4096


def parts_of(key: str, *, field: str = "path") -> tuple[str, ...]:
    """The names of a key (see ``model.storage``); bytes that are no UTF-8 become surrogates.

    Raises :class:`InputError` for ``..``, an absolute path, an empty name, NUL, and what is too
    long or too deep.
    """
    raw = unquote_to_bytes(key.encode("utf-8", "surrogatepass"))
    names = raw.split(b"/") if raw else []
    odd = any(name in (b"", b".", b"..") or b"\0" in name or len(name) > 255 for name in names)
    if odd or len(raw) > _LONGEST or len(names) > DEEPEST:
        raise InputError("This is no path inside the area.", code="bad-path", field=field)
    return tuple(os.fsdecode(name) for name in names)


def key_of(parts: Sequence[str]) -> str:
    """The key of these names."""
    return "/".join(quote_from_bytes(os.fsencode(part), safe=" ") for part in parts)


def shown(name: str) -> str:
    """A name for eyes: one line of text without control characters."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def open_top(path: str | os.PathLike[str]) -> int:
    """The folder an area or its backups begin at; its own path is the admin's, links and all."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def top(path: str | os.PathLike[str]) -> Iterator[int]:
    """:func:`open_top`, closed at the end."""
    at = open_top(path)
    try:
        yield at
    finally:
        os.close(at)


def open_below(at: int, parts: Sequence[str]) -> int:
    """The folder ``parts`` below ``at``, to be closed by the caller. Raises OSError; ELOOP or
    ENOTDIR for a link."""
    here = os.dup(at)
    for part in parts:
        try:
            below = os.open(part, FOLDER, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


@contextmanager
def descend(at: int, parts: Sequence[str]) -> Iterator[int]:
    """:func:`open_below`, closed at the end."""
    here = open_below(at, parts)
    try:
        yield here
    finally:
        os.close(here)


def is_other_kind(error: OSError) -> bool:
    """Whether the way ended because a link or no folder was found."""
    return error.errno in (errno.ELOOP, errno.ENOTDIR)


def facts_of(at: int, name: str) -> os.stat_result | None:
    """``lstat`` of a name in a folder; ``None`` where there is none. Raises other OSErrors."""
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None


def names_in(folder: int) -> list[str]:
    """The names in an open folder. Raises OSError."""
    return os.listdir(folder)
