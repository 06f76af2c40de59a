"""The folders where runs are shared, by the names that people use for them."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.sharing import ShareArea


def areas(folders: Iterable[str]) -> tuple[ShareArea, ...]:
    """The areas that are there now, each by the last part of its path; of two that are called
    alike the second gets a number."""
    found: dict[str, ShareArea] = {}
    for text in folders:
        path = Path(text).expanduser()
        if not path.is_absolute() or not path.is_dir():
            continue
        name, number = path.name or "area", 2
        while name in found:
            name, number = f"{path.name}-{number}", number + 1
        writable = os.access(path, os.W_OK | os.X_OK)
        found[name] = ShareArea(name=name, path=str(path), writable=writable)
    return tuple(found.values())


def area_named(known: Iterable[ShareArea], name: str | None) -> ShareArea:
    """The area of a name, or of a path; without one the only one that can be written.

    Raises :class:`NotFound` (``no-such-area``) and :class:`InputError` (``which-area``).
    """
    known = tuple(known)
    if name is not None:
        for one in known:
            if name in (one.name, one.path):
                return one
        there = ", ".join(one.name for one in known) or "none"
        raise NotFound(
            f"There is no area {name[:80]!r} for shared jobs. There are: {there}.",
            code="no-such-area",
            field="area",
            hint="The setting 'shared_jobs' names them.",
        )
    usable = [one for one in known if one.writable]
    if len(usable) == 1:
        return usable[0]
    if usable:
        names = ", ".join(one.name for one in usable)
        raise InputError(
            f"There are several areas. Say which: {names}.", code="which-area", field="area"
        )
    raise NotFound(
        "There is no folder here where you could share jobs.",
        code="no-such-area",
        field="area",
        hint="The setting 'shared_jobs' names such folders, for example your group's area.",
    )


def owner_name(uid: int) -> str:
    """Whose a file is."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
