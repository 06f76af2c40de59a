"""Applying what a back-end says of a sweep and its points, inside one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select, update

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.claims import release
from jupyter_mlinfn.jobs.rows import change, document
from jupyter_mlinfn.jobs.sweeps.rows import follow, plain, rows_of
from jupyter_mlinfn.jobs.tables import claims, points
from jupyter_mlinfn.jobs.transitions import may_follow
from jupyter_mlinfn.model.jobs import ACTIVE, ENDED

_COLUMNS: Final = (
    *("state", "reason", "cancelling", "recorded", "attempts", "host", "started_at"),
    *("ended_at", "exit_code", "output", "usage"),
)


def is_news(connection: Connection, row: Row[Any], seen: Observation) -> bool:
    """Whether ``seen`` says anything new of the sweep in ``row``."""
    if row.state in ENDED:
        return False
    if seen.unknown_since is not None:
        return row.unknown_since is None
    if any(getattr(row, name) != value for name, value in _told(row, seen).items()):
        return True
    return bool(_changes(connection, row.id, _meant(connection, row, seen)))


def apply(connection: Connection, row: Row[Any], seen: Observation) -> bool:
    """Apply one observation of a sweep; whether anything changed."""
    if row.state in ENDED:
        return False
    if seen.unknown_since is not None:
        if row.unknown_since is None:
            change(connection, row.id, unknown_since=seen.unknown_since)
        return row.unknown_since is None
    changed = _changes(connection, row.id, _meant(connection, row, seen))
    _write(connection, row.id, changed)
    because = seen.reason if seen.state == "failed" and not seen.points else None
    return follow(connection, row, because, **_told(row, seen)) or bool(changed)


def _told(row: Row[Any], seen: Observation) -> dict[str, Any]:
    """What is said of the whole. Why it waits is worth saying before the first point starts."""
    told: dict[str, Any] = {
        "unknown_since": None,
        "backend_id": seen.backend_id or row.backend_id,
    }
    if row.state == "queued" and seen.state == "queued" and seen.reason is not None:
        told["reason"] = document(seen.reason)
    return told


def _meant(connection: Connection, row: Row[Any], seen: Observation) -> Mapping[int, Observation]:
    """What ``seen`` says of single points; an end of the whole is the end of all that go on."""
    if seen.points or seen.state not in ENDED:
        return seen.points
    going = select(points.c.number, points.c.attempts, points.c.state).where(
        points.c.job == row.id, points.c.state.not_in(sorted(ENDED))
    )
    found = {}
    for one in connection.execute(going):
        # an evicted one's last attempt is over: a failure belongs to the one that never came
        more = one.state == "evicted" and seen.state != "cancelled"
        found[one.number] = seen.model_copy(update={"attempt": one.attempts + more, "output": None})
    return found


def _changes(
    connection: Connection, job: str, seen: Mapping[int, Observation]
) -> dict[int, dict[str, Any]]:
    """The new values of the points about which ``seen`` says something new."""
    found = {}
    for row in rows_of(connection, job, sorted(seen)):
        values = _followed(row, _numbered(seen[row.number]))
        if any(getattr(row, name) != value for name, value in values.items()):
            found[row.number] = {name: getattr(row, name) for name in _COLUMNS} | values
    return found


def _numbered(seen: Observation) -> Observation:
    if seen.state in ACTIVE and seen.attempt == 0:
        return seen.model_copy(update={"attempt": 1})
    return seen


def _followed(row: Row[Any], seen: Observation) -> dict[str, Any]:
    if seen.unknown_since is not None or not may_follow(row.state, row.attempts, seen):
        return {}
    values: dict[str, Any] = {
        "state": seen.state,
        "attempts": seen.attempt,
        "reason": document(seen.reason),
    }
    told = {
        "host": seen.host,
        "started_at": seen.started_at,
        "exit_code": seen.exit_code,
        "output": seen.output,
        "usage": document(seen.usage),
        "recorded": plain(seen.values) or None,
    }
    values |= {name: value for name, value in told.items() if value is not None}
    if seen.state in ENDED:
        values |= {"ended_at": seen.ended_at or datetime.now(UTC), "cancelling": False}
    return values


def _write(connection: Connection, job: str, changed: Mapping[int, dict[str, Any]]) -> None:
    if not changed:
        return
    here = (points.c.job == job, points.c.number == bindparam("at"))
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _COLUMNS}
    connection.execute(
        update(points).where(*here).values(**new),
        [
            {"at": number, **{f"new_{name}": value for name, value in values.items()}}
            for number, values in changed.items()
        ],
    )
    held = connection.execute(select(claims.c.point).where(claims.c.job == job)).scalars().all()
    for number in held:
        if number in changed and changed[number]["state"] not in ACTIVE:
            release(connection, job, number)
