"""What of a file is right by itself, for the rules that look at several tables at once.

A key that is wrong by itself is left out, so that one mistake is told once and hides no other;
where nothing sensible is left without it, the table is left out. Names are looked up in what was
written, so that a mistake in an image does not make every profile wrong.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.profiles.document import (
    Accelerator,
    Ceiling,
    CountableResource,
    Image,
    Profile,
    Volume,
)
from jupyter_mlinfn.profiles.positions import KeyPath

Found = Iterator[tuple[KeyPath, str]]
"""What a rule finds: where, and a sentence."""

M = TypeVar("M", bound=BaseModel)
KINDS = ("image", "accelerator", "resource", "volume")


@dataclass(frozen=True)
class Parts:
    """The tables as far as they are right by themselves; ``names`` is all that was written."""

    ceiling: Ceiling | None
    image: dict[str, Image]
    accelerator: dict[str, Accelerator]
    resource: dict[str, CountableResource]
    volume: dict[str, Volume]
    profile: dict[int, Profile]
    names: Mapping[str, tuple[str, ...]]


def parts_of(raw: Mapping[str, Any]) -> Parts:
    """The parts of what ``tomllib`` read."""
    return Parts(
        ceiling=_read(Ceiling, raw.get("ceiling")),
        image=_all(Image, raw.get("image")),
        accelerator=_all(Accelerator, raw.get("accelerator")),
        resource=_all(CountableResource, raw.get("resource")),
        volume=_all(Volume, raw.get("volume")),
        profile=_profiles(raw.get("profile")),
        names={kind: tuple(_table(raw.get(kind))) for kind in KINDS},
    )


def _profiles(entries: object) -> dict[int, Profile]:
    read = enumerate(entries if isinstance(entries, list) else [])
    return {number: made for number, entry in read if (made := _read(Profile, entry))}


def _all(kind: type[M], entries: object) -> dict[str, M]:
    return {name: made for name, entry in _table(entries).items() if (made := _read(kind, entry))}


def _table(entries: object) -> Mapping[str, object]:
    return entries if isinstance(entries, Mapping) else {}


def _read(kind: type[M], entry: object) -> M | None:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:  # reading.py tells of it, with its line
        if not isinstance(entry, Mapping):
            return None
        return _without(kind, entry, {str(found["loc"][0]) for found in error.errors()})


def _without(kind: type[M], entry: Mapping[str, object], wrong: set[str]) -> M | None:
    """``entry`` without its wrong keys; ``None`` where one of them is needed to judge the rest."""
    stand_ins = _STAND_INS[kind]
    known = wrong & set(kind.model_fields)
    if known - set(stand_ins) - _CAN_GO[kind]:
        return None
    kept = {key: value for key, value in entry.items() if key not in wrong}
    needed = known & set(stand_ins)
    made = kind.model_validate(kept | {key: stand_ins[key][0] for key in needed})
    return made.model_copy(update={key: stand_ins[key][1] for key in needed})


_TITLE: dict[str, tuple[object, object]] = {"title": ("-", "-")}
_STAND_INS: dict[type[BaseModel], dict[str, tuple[object, object]]] = {
    # what is needed: a value that can be read, and what no rule finds anything against
    Ceiling: {"cpu": (1, math.inf), "memory": ("1B", sys.maxsize)},
    Image: _TITLE,
    Accelerator: _TITLE,
    CountableResource: {**_TITLE, "site_name": ("x", "x")},
    Volume: _TITLE,
    Profile: {**_TITLE, "name": ("x", ""), "cpu": ([1], ()), "memory": (["1B"], ())},
}
_CAN_GO: dict[type[BaseModel], set[str]] = {
    Ceiling: {"shm", "time", "slices"},
    Image: {"description", "groups"},
    Accelerator: {"memory", "slices", "resource", "node", "groups"},
    CountableResource: {"groups"},
    Volume: {"area", "create", "batch", "backup"},
    Profile: set(Profile.model_fields),
}
