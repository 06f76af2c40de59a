"""Single lines of a comparison: two values, whether they are equal, and how to show them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import JsonValue

from jupyter_mlinfn.model.exactness import DiffItem, DiffSection, SectionName, Standing

Kind = Literal["text", "value", "bytes", "seconds", "hash", "time"]

ABSENT: Any = object()
"""What a side has that has no such thing; ``None`` is a value."""


def item(
    name: str, a: Any, b: Any, kind: Kind = "value", *, detail: tuple[str, ...] = ()
) -> DiffItem:
    """Two values side by side; :data:`ABSENT` on one side where there is none."""
    return DiffItem(
        name=name,
        standing=standing(a, b),
        a=None if a is ABSENT else a,
        b=None if b is ABSENT else b,
        kind=kind,
        detail=detail,
    )


def standing(a: Any, b: Any) -> Standing:
    """How two values stand to each other; ``1``, ``1.0`` and ``true`` are three values."""
    if a is ABSENT or b is ABSENT:
        return "equal" if a is b else "only-b" if a is ABSENT else "only-a"
    return "equal" if written(a) == written(b) else "changed"


def written(value: JsonValue) -> str:
    """A JSON value as text: equal for equal values, whatever the order of names."""
    return json.dumps(value, sort_keys=True)


def mapping(a: Mapping[str, Any], b: Mapping[str, Any], kind: Kind = "value") -> list[DiffItem]:
    """Two mappings, by name."""
    return [item(n, a.get(n, ABSENT), b.get(n, ABSENT), kind) for n in sorted(a.keys() | b.keys())]


def known(name: str, a: Any, b: Any, kind: Kind = "value") -> list[DiffItem]:
    """Two values of which either may be unknown (``None``); nothing where both are."""
    if a is None and b is None:
        return []
    return [item(name, ABSENT if a is None else a, ABSENT if b is None else b, kind)]


def section(
    name: SectionName, title: str, items: Iterable[DiffItem], note: str | None = None
) -> DiffSection:
    """A part of the comparison; equal only when all of it is known to be."""
    listed = tuple(items)
    standings = {one.standing for one in listed}
    same: bool | None = standings <= {"equal"} if listed else None
    if same is False and standings <= {"equal", "unknown"}:
        same = None
    return DiffSection(name=name, title=title, same=same, items=listed, note=note)
