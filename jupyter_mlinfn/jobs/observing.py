"""Applying what a back-end says to the rows of a job, inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, update

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.claims import release
from jupyter_mlinfn.jobs.rows import change, document, row_of, select_jobs, write_attempt
from jupyter_mlinfn.jobs.sweeps import observing as sweeps
from jupyter_mlinfn.jobs.tables import attempts, jobs
from jupyter_mlinfn.jobs.transitions import may_follow
from jupyter_mlinfn.model.jobs import ACTIVE, ENDED

_AT_ONCE: Final = 500
"""Fewer than the parameters one SQLite statement takes."""


def rows_of(connection: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    """The rows of these jobs, as far as they are there."""
    rows: list[Row[Any]] = []
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        rows += connection.execute(select_jobs().where(jobs.c.id.in_(some))).all()
    return rows


def changes(row: Row[Any], seen: Observation) -> dict[str, Any]:
    """The columns of ``row`` that ``seen`` changes; empty when it says nothing new."""
    if row.state in ENDED:
        return {}
    if seen.unknown_since is not None:
        # the first moment of silence counts
        values = {"unknown_since": row.unknown_since or seen.unknown_since}
    elif follows(row, seen):
        values = {"unknown_since": None, **_followed(row, _numbered(seen))}
    else:
        values = {"unknown_since": None, "backend_id": seen.backend_id or row.backend_id}
    return {name: value for name, value in values.items() if getattr(row, name) != value}


def follows(row: Row[Any], seen: Observation) -> bool:
    """Whether ``seen`` says what has become of the job, rather than nothing or old news."""
    return seen.unknown_since is None and may_follow(row.state, row.attempts, _numbered(seen))


def is_news(connection: Connection, row: Row[Any], seen: Observation) -> bool:
    """Whether ``seen`` says anything new of the job in ``row``."""
    if row.sweep is not None:
        return sweeps.is_news(connection, row, seen)
    return bool(changes(row, seen))


def apply(connection: Connection, job: str, seen: Observation) -> bool:
    """Apply one observation; whether anything changed."""
    row = row_of(connection, job)
    if row is not None and row.sweep is not None:
        return sweeps.apply(connection, row, seen)
    values = {} if row is None else changes(row, seen)
    if row is None or not values:
        return False
    change(connection, job, **values)
    if follows(row, seen):
        seen = _numbered(seen)
        if seen.attempt > row.attempts:
            _end_earlier_attempts(connection, job, seen.attempt)
        if seen.attempt < row.attempts:
            later = (attempts.c.job == job, attempts.c.number > seen.attempt)
            connection.execute(delete(attempts).where(*later))
        if seen.attempt:
            _apply_to_attempt(connection, job, seen)
        if seen.state not in ACTIVE:
            # a job that its batch system queued again holds nothing either
            release(connection, job)
    return True


def _numbered(seen: Observation) -> Observation:
    # a back-end that does not count attempts means the first
    if seen.state in ACTIVE and seen.attempt == 0:
        return seen.model_copy(update={"attempt": 1})
    return seen


def _over(seen: Observation) -> bool:
    return seen.state in ENDED or seen.state == "evicted"


def _followed(row: Row[Any], seen: Observation) -> dict[str, Any]:
    values: dict[str, Any] = {
        "state": seen.state,
        "attempts": seen.attempt,
        "reason": document(seen.reason),
    }
    if seen.attempt != row.attempts:
        values |= {"started_at": None, "progress": None}
    told = {
        "started_at": seen.started_at,
        "output": seen.output,
        "backend_id": seen.backend_id,
        "usage": document(seen.usage),
        "progress": document(seen.progress),
        "evictions": seen.evictions,
        "checkpoint_at": seen.checkpoint_at,
    }
    values |= {name: value for name, value in told.items() if value is not None}
    if seen.state in ENDED:
        values |= {"ended_at": seen.ended_at or datetime.now(UTC), "cancelling": False}
    return values


def _end_earlier_attempts(connection: Connection, job: str, number: int) -> None:
    """A newer attempt says that those before it are over, also when nobody saw them end."""
    earlier = (attempts.c.job == job, attempts.c.number < number)
    connection.execute(
        update(attempts)
        .where(*earlier, attempts.c.state.in_(sorted(ACTIVE)))
        .values(state="evicted", ended_at=datetime.now(UTC))
    )


def _apply_to_attempt(connection: Connection, job: str, seen: Observation) -> None:
    told = {
        "host": seen.host,
        "accelerators": list(seen.accelerators) or None,
        "started_at": seen.started_at,
        "exit_code": seen.exit_code,
        "usage": document(seen.usage),
        "lost_seconds": seen.lost_seconds,
    }
    values = {name: value for name, value in told.items() if value is not None}
    values |= {"state": seen.state, "reason": document(seen.reason)}
    if _over(seen):
        values["ended_at"] = seen.ended_at or datetime.now(UTC)
    write_attempt(connection, job, seen.attempt, **values)
