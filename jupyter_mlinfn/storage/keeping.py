"""The hidden folder ``.mlinfn`` of an area: notes, what a restore put aside, drafts.

Whoever needs it first makes it. In an area where a group writes, the group may write here too, and
only the owner of a name may take it away (the sticky bit). What others put in its place, such as a
link, is never followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.storage.descent import FOLDER, is_other_kind

HIDDEN: Final = ".mlinfn"
NOTES: Final = "notes"
TRASH: Final = "trash"
DRAFTS: Final = "drafts"


@contextmanager
def kept_in(at: int, name: str) -> Iterator[int]:
    """The folder ``.mlinfn/NAME`` of the area open at ``at``, made where it is missing.

    Raises :class:`Refused` (``in-the-way``) where something else lies there, and OSError.
    """
    mode = os.fstat(at).st_mode
    shared = 0o2770 if mode & stat.S_IWGRP else 0o700
    if mode & stat.S_IWOTH:
        shared |= 0o007
    outer = _made(at, HIDDEN, shared)
    try:
        inner = _made(outer, name, shared | (stat.S_ISVTX if shared & stat.S_IWGRP else 0))
    finally:
        os.close(outer)
    try:
        yield inner
    finally:
        os.close(inner)


def _made(at: int, name: str, mode: int) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=at)
    try:
        folder = os.open(name, FOLDER, dir_fd=at)
    except OSError as error:
        if not is_other_kind(error):
            raise
        raise Refused(
            f"Something lies at {HIDDEN} or in it that is no folder ({name}). "
            "Move it away, or ask its owner; nothing was changed.",
            code="in-the-way",
        ) from error
    facts = os.fstat(folder)
    if facts.st_uid == os.geteuid() and stat.S_IMODE(facts.st_mode) != mode:
        # the umask must not keep the group out, whose folder the area is
        os.fchmod(folder, mode)
    return folder
