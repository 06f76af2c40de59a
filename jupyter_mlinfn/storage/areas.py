"""Which areas this session has: told by the hub, by the settings, or the one folder there is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import InputError, NotFound

TOLD: Final = "MLINFN_AREAS"
"""The variable in which a hub tells a session its areas: a JSON list of areas."""

_AREAS: Final = TypeAdapter(tuple[Area, ...])


def read_areas(told: str | Sequence[Mapping[str, Any]]) -> tuple[Area, ...]:
    """The areas of a JSON text or of the settings.

    Raises :class:`InputError` (``bad-areas``) for what is no list of areas or names one twice.
    """
    try:
        found = (
            _AREAS.validate_json(told)
            if isinstance(told, str)
            else _AREAS.validate_python([dict(one) for one in told])
        )
    except (ValidationError, ValueError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        where = ".".join(str(part) for part in first["loc"]) if first else "the list"
        what = first["msg"] if first else str(error)
        raise _bad(f"{where}: {what}") from None
    names = [area.name for area in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise _bad(f"'{min(twice)}' is named twice")
    for area in found:
        if area.kind != "bucket" and not Path(area.path).is_absolute():
            raise _bad(f"{area.name}: the path is not absolute")
    return found


def only_area(root: Path, shared_folders: Mapping[str, Sequence[str]]) -> Area:
    """Where nobody names areas: the folder whose files the server shows.

    It is lost with a container when it lies on the container's own disk.
    """
    path = os.path.realpath(root)
    on_containers_disk = Path(path).stat().st_dev == Path("/").stat().st_dev
    sees = {place for place, folders in shared_folders.items() if _is_within(path, folders)}
    return Area(
        name="private",
        title="Your files",
        kind="private",
        path=path,
        writable=os.access(path, os.W_OK),
        survives=not (_in_container() and on_containers_disk),
        audience="you",
        batch=tuple(sorted(sees)) if shared_folders else None,
    )


def area_named(areas: Iterable[Area], name: str) -> Area:
    """The area of this name. Raises :class:`NotFound` (``no-such-area``)."""
    known = tuple(areas)
    for area in known:
        if area.name == name:
            return area
    there = ", ".join(area.name for area in known) or "none"
    raise NotFound(
        f"There is no area {name[:80]!r} here. There are: {there}.",
        code="no-such-area",
        field="area",
    )


def _is_within(path: str, folders: Iterable[str]) -> bool:
    tops = (os.path.normpath(folder) for folder in folders if Path(folder).is_absolute())
    return any(os.path.commonpath((top, path)) == top for top in tops)


def _in_container() -> bool:
    marks = ("/.dockerenv", "/run/.containerenv")
    return "KUBERNETES_SERVICE_HOST" in os.environ or any(map(os.path.exists, marks))


def _bad(why: str) -> InputError:
    return InputError(
        f"The storage areas of this session are not told rightly ({why[:300]}). "
        "Tell your admin: your files are there, they are only not shown here.",
        code="bad-areas",
        field=TOLD,
    )
