"""Lists of jobs: pages, counts, and what changed since, inside one read snapshot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from jupyter_mlinfn.jobs.rows import SEARCHED, record_of, select_jobs
from jupyter_mlinfn.jobs.tables import counters, deleted, jobs
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import ACTIVE, WAITING, JobCounts, JobPage, JobRecord, JobState

MOST: Final = 200
"""The longest page."""

MOST_CHANGES: Final = 500
"""So many changed jobs at once; who is further behind asks for a page."""

_CURSOR: Final = re.compile(r"n([1-9][0-9]{0,17})", re.ASCII)


def page_of(
    connection: Connection,
    states: Sequence[JobState],
    search: str | None,
    limit: int,
    cursor: str | None,
) -> JobPage:
    """One page, newest first. :class:`InputError` names the argument that cannot be used."""
    if not 1 <= limit <= MOST:
        raise InputError(
            f"A page holds 1 to {MOST} jobs, not {limit}.", code="bad-number", field="limit"
        )
    query = _searched(select_jobs(), search)
    if states:
        query = query.where(jobs.c.state.in_(sorted(set(states))))
    if cursor is not None:
        query = query.where(jobs.c.number < _number(cursor))
    rows = connection.execute(query.order_by(jobs.c.number.desc()).limit(limit + 1)).all()
    return JobPage(
        jobs=tuple(record_of(row) for row in rows[:limit]),
        next=f"n{rows[limit - 1].number}" if len(rows) > limit else None,
        counts=count(connection),
    )


def _searched(query: Select[Any], search: str | None) -> Select[Any]:
    if search is None:
        return query
    if len(search) > SEARCHED or "\0" in search:
        raise InputError("This text is too long to search for.", code="bad-search", field="search")
    for word in search.casefold().split():
        query = query.where(jobs.c.search.contains(word, autoescape=True))
    return query


def _number(cursor: str) -> int:
    found = _CURSOR.fullmatch(cursor)
    if not found:
        raise InputError(
            "This cursor is not one that a page gave. Ask for the first page again.",
            code="bad-cursor",
            field="cursor",
        )
    return int(found.group(1))


def count(connection: Connection) -> JobCounts:
    """The numbers above the list; "today" is the local day of this machine."""
    states = select(jobs.c.state, func.count().label("jobs")).group_by(jobs.c.state)
    by_state: dict[str, int] = {row.state: row.jobs for row in connection.execute(states)}
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    failed = select(func.count()).where(jobs.c.state == "failed", jobs.c.ended_at >= midnight)
    return JobCounts(
        running=sum(by_state.get(state, 0) for state in ACTIVE),
        queued=sum(by_state.get(state, 0) for state in WAITING),
        failed_today=connection.execute(failed).scalar_one(),
        total=sum(by_state.values()),
    )


def revision_now(connection: Connection) -> int:
    """The number of the newest change."""
    query = select(counters.c.value).where(counters.c.name == "revision")
    return int(connection.execute(query).scalar_one())


def changed_after(connection: Connection, revision: int) -> tuple[int, list[JobRecord], list[str]]:
    """The revision now, the jobs changed after ``revision`` and the ids deleted after it.

    A ``revision`` of the future belongs to an index that was lost: then everything is new.
    At most the newest :data:`MOST_CHANGES` of each.
    """
    now = revision_now(connection)
    if revision == now:
        return now, [], []
    after = 0 if revision > now else revision
    query = select_jobs().where(jobs.c.revision > after).order_by(jobs.c.revision.desc())
    rows = connection.execute(query.limit(MOST_CHANGES)).all()
    gone = select(deleted.c.id).where(deleted.c.revision > after)
    ids = connection.execute(gone.order_by(deleted.c.revision.desc()).limit(MOST_CHANGES))
    return now, [record_of(row) for row in reversed(rows)], list(ids.scalars())
