"""Pages of a sweep's points: filtered, searched and sorted by the database; and all as CSV."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    func,
    select,
    text,
    type_coerce,
)

from jupyter_mlinfn.jobs.rows import counts_of
from jupyter_mlinfn.jobs.sweeps.rows import point_of
from jupyter_mlinfn.jobs.tables import points
from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.sweeps import Point, PointColumns, PointFilter, PointPage

MOST: Final = 500
"""The longest page."""

_MOST_VALUES: Final = 200
_CURSOR: Final = re.compile(r"p([1-9][0-9]{0,6})", re.ASCII)
_NAMES: Final = text(
    "SELECT DISTINCT one.key FROM points, json_each(points.recorded) AS one "
    "WHERE points.job = :job AND points.recorded IS NOT NULL LIMIT :most"
)
_PLAIN: Final = {
    "index": points.c.number,
    "state": points.c.state,
    "started_at": points.c.started_at,
    "ended_at": points.c.ended_at,
}


def page_of(
    connection: Connection, row: Row[Any], wanted: PointFilter, limit: int, cursor: str | None
) -> PointPage:
    """One page of the sweep in ``row``. :class:`InputError` names what cannot be used."""
    counts = counts_of(row)
    if counts is None:
        raise NotFound("This job is no sweep: it has no points.", code="no-sweep")
    if not 1 <= limit <= MOST:
        raise wrong_length(limit)
    columns = _columns(connection, row)
    first = first_of(cursor)
    query = _sorted(_narrowed(select(points), row.id, wanted), wanted, columns)
    rows = connection.execute(query.offset(first).limit(limit + 1)).all()
    number = _narrowed(select(func.count()), row.id, wanted)
    return PointPage(
        points=tuple(point_of(one) for one in rows[:limit]),
        next=f"p{first + limit}" if len(rows) > limit else None,
        matching=connection.execute(number).scalar_one(),
        columns=columns,
        counts=counts,
    )


def all_of(connection: Connection, job: str) -> Iterator[Point]:
    """All points, in order."""
    query = select(points).where(points.c.job == job).order_by(points.c.number)
    return map(point_of, connection.execute(query))


def _columns(connection: Connection, row: Row[Any]) -> PointColumns:
    names = connection.execute(_NAMES, {"job": row.id, "most": _MOST_VALUES})
    values = sorted(map(str, names.scalars()))
    return PointColumns(parameters=tuple(row.sweep["varied"]), values=tuple(values))


def _narrowed(query: Select[Any], job: str, wanted: PointFilter) -> Select[Any]:
    query = query.where(points.c.job == job)
    if wanted.state:
        query = query.where(points.c.state.in_(sorted(set(wanted.state))))
    if wanted.search is not None and "\0" in wanted.search:
        raise InputError("This text cannot be searched for.", code="bad-search", field="search")
    for word in (wanted.search or "").casefold().split():
        query = query.where(points.c.search.contains(word, autoescape=True))
    return query


def _sorted(query: Select[Any], wanted: PointFilter, columns: PointColumns) -> Select[Any]:
    key = _key(wanted.sort, columns)
    ordered = key.desc() if wanted.order == "desc" else key.asc()
    # points without a value come last, whichever way
    return query.order_by(key.is_(None), ordered, points.c.number)


def _key(name: str, columns: PointColumns) -> ColumnElement[Any]:
    """What to sort by; a parameter goes before a value of the same name."""
    if name in columns.parameters:
        return _extracted(points.c.parameters, name)
    if name in columns.values:
        return _extracted(points.c.recorded, name)
    if name == "seconds":
        ended = type_coerce(points.c.ended_at, BigInteger)
        now = int(time.time() * 1_000_000)
        return func.coalesce(ended, now) - type_coerce(points.c.started_at, BigInteger)
    if name in _PLAIN:
        return _PLAIN[name]
    raise no_sort(name, columns)


def no_sort(name: str, columns: PointColumns) -> InputError:
    """Nothing is called so that points could be sorted by."""
    known = [*columns.parameters, *columns.values, *_PLAIN, "seconds"]
    text = f"There is no {name!r} to sort by. There are: {', '.join(known)}."
    return InputError(text, code="bad-sort", field="sort")


def wrong_length(limit: int) -> InputError:
    """A page is never so long."""
    text = f"A page holds 1 to {MOST} points, not {limit}."
    return InputError(text, code="bad-number", field="limit")


def _extracted(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    if '"' in name or "\\" in name:
        # a name recorded by a job's code may hold anything, and a path cannot quote these
        raise InputError(f"{name!r} cannot be sorted by.", code="bad-sort", field="sort")
    return func.json_extract(column, f'$."{name}"')


def first_of(cursor: str | None) -> int:
    """Where the page of this cursor begins. Raises :class:`InputError` (``bad-cursor``)."""
    if cursor is None:
        return 0
    found = _CURSOR.fullmatch(cursor)
    if not found:
        raise InputError(
            "This cursor is not one that a page gave. Ask for the first page again.",
            code="bad-cursor",
            field="cursor",
        )
    return int(found.group(1))
