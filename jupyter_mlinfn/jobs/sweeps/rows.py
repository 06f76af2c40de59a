"""The rows of a sweep's points, and the job's row that follows from them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import Connection, Row, func, select, update

from jupyter_mlinfn.database.columns import encode
from jupyter_mlinfn.jobs.rows import change, document
from jupyter_mlinfn.jobs.sweeps.whole import whole
from jupyter_mlinfn.jobs.tables import points
from jupyter_mlinfn.model.jobs import ENDED, JobSpec, JobState, Reason, Usage
from jupyter_mlinfn.model.states import STATES
from jupyter_mlinfn.model.sweeps import Point, SweepCounts

AT_ONCE: Final = 500
"""Fewer than the parameters one SQLite statement takes."""

_SEARCHED: Final = 1000
_OF_NEW: Final = ("job", "number", "state", "cancelling", "parameters", "search", "attempts")
"""In the order of the table."""
_ODD: Final = (b"NaN", b"Infinity")
"""What the file of points may hold and strict JSON may not."""
_json: Final = json.JSONEncoder(ensure_ascii=False).encode


def sweep_columns(spec: JobSpec, rows: Sequence[Mapping[str, JsonValue]]) -> dict[str, Any]:
    """What the row of a new job keeps of a sweep: its counts, and the names that vary."""
    if not spec.points:
        return {}
    counts = SweepCounts(points=spec.points, throttle=spec.throttle, queued=spec.points)
    varied = list(dict.fromkeys(name for row in rows for name in row))
    return {"sweep": {**counts.model_dump(), "varied": varied}}


def add_points(
    connection: Connection,
    spec: JobSpec,
    rows: Sequence[Mapping[str, JsonValue]],
    written: bytes | None = None,
) -> None:
    """The rows of a new sweep's points, all waiting; :func:`sweep_columns` are in its job's.

    ``written``: the same as :mod:`points.jsonl <.pointfile>`, where that was just made.
    """
    if not spec.points:
        return
    new = [
        (spec.id, number, "queued", False, text, searched(row), 0)
        for number, (row, text) in enumerate(zip(rows, _texts(rows, written), strict=True))
    ]
    # the driver takes ready rows in a third of the time that looking at each value needs
    insert = points.insert().compile(dialect=connection.dialect, column_keys=_OF_NEW)
    assert insert.positiontup == list(_OF_NEW)
    connection.exec_driver_sql(str(insert), new)


def _texts(rows: Sequence[Mapping[str, JsonValue]], written: bytes | None) -> list[str]:
    """The parameters of each point as its column keeps them."""
    if written is None or any(odd in written for odd in _ODD):
        return [encode(plain(dict(row))) for row in rows]
    return written.decode().splitlines()


def plain(value: Any) -> Any:
    """``value`` as strict JSON has it: NaN and infinity as text, so that SQLite can read it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def searched(row: Mapping[str, JsonValue]) -> str:
    """What a search looks through of a point with these parameters, without regard to case."""
    words = [
        # the most common kind, without an encoder
        str(one) if type(one) is int else one if isinstance(one, str) else _json(one)
        for one in row.values()
    ]
    return "\n".join(words).casefold()[:_SEARCHED]


def point_of(row: Row[Any]) -> Point:
    """What is shown of a point."""
    return Point(
        index=row.number,
        state=row.state,
        reason=Reason.model_validate(row.reason) if row.reason else None,
        cancelling=row.cancelling,
        parameters=row.parameters,
        values=row.recorded or {},
        attempts=row.attempts,
        host=row.host,
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_code=row.exit_code,
        output=row.output,
        usage=Usage.model_validate(row.usage) if row.usage else Usage(),
    )


def rows_of(connection: Connection, job: str, numbers: Sequence[int]) -> Iterator[Row[Any]]:
    """The rows of these points, as far as they are there."""
    for first in range(0, len(numbers), AT_ONCE):
        some = numbers[first : first + AT_ONCE]
        yield from connection.execute(
            select(points).where(points.c.job == job, points.c.number.in_(some))
        )


def count_states(connection: Connection, job: str) -> dict[JobState, int]:
    """How many points are in each state: one pass over an index."""
    query = select(points.c.state, func.count().label("points")).where(points.c.job == job)
    return {row.state: row.points for row in connection.execute(query.group_by(points.c.state))}


def change_point(connection: Connection, job: str, number: int, **values: Any) -> None:
    """Change one point's row; :func:`follow` has to come after it."""
    here = (points.c.job == job, points.c.number == number)
    connection.execute(update(points).where(*here).values(**values))


def follow(
    connection: Connection, row: Row[Any], because: Reason | None = None, **told: Any
) -> bool:
    """Make the job's ``row`` say what its points say now, and what is ``told`` of the whole
    besides; whether anything changed. Counts are always those of the rows; ``because`` is why
    the whole has ended, where it was not for its points.
    """
    states = count_states(connection, row.id)
    counts = {state: states.get(state, 0) for state in STATES}
    state, reason = whole(states, cancelling=row.cancelling)
    if because is not None and state in ENDED:
        reason = because
    values: dict[str, Any] = {**told, "state": state, "sweep": {**row.sweep, **counts}}
    if state != "queued":
        values["reason"] = document(reason)
    if state in ENDED and row.state not in ENDED:
        values |= _ended(connection, row)
    if row.started_at is None and state != "queued":
        values["started_at"] = _first_start(connection, row.id)
    news = {name: value for name, value in values.items() if getattr(row, name) != value}
    if news:
        change(connection, row.id, **news)
    return bool(news)


def _first_start(connection: Connection, job: str) -> datetime | None:
    query = select(func.min(points.c.started_at)).where(points.c.job == job)
    return connection.execute(query).scalar()


def _ended(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    memory = func.max(func.json_extract(points.c.usage, "$.peak_memory"))
    cpu = func.sum(func.json_extract(points.c.usage, "$.cpu_seconds"))
    last = func.max(points.c.ended_at).label("last")
    used = connection.execute(
        select(memory.label("memory"), cpu.label("cpu"), last).where(points.c.job == row.id)
    ).one()
    usage = Usage(peak_memory=used.memory, cpu_seconds=used.cpu and round(used.cpu, 2))
    published = select(points.c.number).where(points.c.job == row.id, points.c.output.is_not(None))
    there = connection.execute(published.limit(1)).first() is not None
    return {
        "ended_at": used.last or datetime.now(UTC),
        "cancelling": False,
        "unknown_since": None,
        "usage": document(usage),
        "output": row.output_folder if there else None,
    }
