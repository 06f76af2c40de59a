"""Where the points of sweeps stand in the line for this machine, beside other jobs.

A job, and a sweep none of whose points runs, wait in the order they came. A sweep that has points
running stands behind all of them, and behind sweeps with fewer running: so a sweep of thousands
of points takes all the room nobody else wants, and no other job waits for the end of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, select

from jupyter_mlinfn.jobs.tables import jobs, points
from jupyter_mlinfn.model.jobs import ACTIVE, WAITING

Place = tuple[Row[Any], Row[Any] | None]
"""A job that waits, or a sweep with its point that is next."""


def line(
    connection: Connection,
    backend: str,
    singles: Iterator[Row[Any]],
    columns: Sequence[Column[Any]],
) -> Iterator[Place]:
    """All that wait, first in line first; ``singles`` are the jobs in the order they came."""
    sweeps = _startable(connection, backend, columns)
    new = [row for row in sweeps if not _active(row)]
    going = [row for row in sweeps if _active(row)]
    for row in merge(singles, new, key=lambda row: row.number):
        yield from _with_point(connection, row)
    for row in sorted(going, key=lambda row: (_active(row), row.number)):
        yield from _with_point(connection, row)


def _startable(
    connection: Connection, backend: str, columns: Sequence[Column[Any]]
) -> list[Row[Any]]:
    going = (jobs.c.sweep.is_not(None), jobs.c.state.in_(sorted(WAITING | ACTIVE)))
    free = (jobs.c.held.is_(False), jobs.c.cancelling.is_(False))
    query = select(*columns).where(*going, *free, jobs.c.backend == backend)
    return [row for row in connection.execute(query.order_by(jobs.c.number)) if _may_start(row)]


def _active(row: Row[Any]) -> int:
    running: int = row.sweep["starting"] + row.sweep["running"]
    return running


def _may_start(row: Row[Any]) -> bool:
    throttle = row.sweep["throttle"]
    waits = row.sweep["queued"] + row.sweep["evicted"] > 0
    return waits and (throttle is None or _active(row) < throttle)


def _with_point(connection: Connection, row: Row[Any]) -> Iterator[Place]:
    if row.sweep is None:
        yield row, None
        return
    query: Select[Any] = select(points.c.number, points.c.attempts).where(
        points.c.job == row.id,
        points.c.state.in_(sorted(WAITING)),
        points.c.cancelling.is_(False),
    )
    point = connection.execute(query.order_by(points.c.number).limit(1)).one_or_none()
    if point is not None:
        yield row, point
