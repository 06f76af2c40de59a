"""Lists of jobs: pages, counts, and what changed since, inside one read snapshot."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, get_args

from sqlalchemy import Column, Connection, Row, Select, Table, func, select

from jupyter_mlinfn.jobs.rows import SEARCHED, record_of, select_jobs
from jupyter_mlinfn.jobs.tables import counters, deleted, jobs, tallies
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.joblists import GROUPS, FoundJobs, JobChoices, JobFilter, JobOrder
from jupyter_mlinfn.model.jobs import ACTIVE, WAITING, JobCounts, JobPage, JobRecord, JobState

MOST: Final = 200
"""The longest page."""

MOST_CHANGES: Final = 500
"""So many changed jobs at once; who is further behind asks for a page."""

MOST_CHOICES: Final = 200
"""So many places or environments are offered to choose from."""

_CURSOR: Final = re.compile(r"n([1-9][0-9]{0,17})", re.ASCII)
_GROUP_CURSOR: Final = re.compile(rf"g([0-{len(GROUPS) - 1}])n([1-9][0-9]{{0,17}})", re.ASCII)


def page_of(
    connection: Connection,
    states: Sequence[JobState],
    search: str | None,
    limit: int,
    cursor: str | None,
) -> JobPage:
    """One page, newest first. :class:`InputError` names the argument that cannot be used."""
    wanted = JobFilter(state=tuple(states), search=search)
    rows, following = rows_of(connection, wanted, limit, cursor)
    return JobPage(
        jobs=tuple(record_of(row) for row in rows), next=following, counts=count(connection)
    )


def found(
    connection: Connection,
    wanted: JobFilter,
    limit: int,
    cursor: str | None,
    order: JobOrder = "newest",
    skip: Collection[JobState] = (),
) -> FoundJobs:
    """One page of what ``wanted`` lets through, with the numbers of all of it by state.

    Jobs in a state of ``skip`` are counted only.
    """
    _check(limit)
    read = grouped_rows if order == "groups" else rows_of
    listed = _without(wanted, skip)
    rows, following = read(connection, listed, limit, cursor) if listed else ([], None)
    return FoundJobs(
        jobs=tuple(record_of(row) for row in rows),
        next=following,
        counts=count(connection),
        matching=matching(connection, wanted),
        choices=_choices(connection) if cursor is None else None,
    )


def rows_of(
    connection: Connection, wanted: JobFilter, limit: int, cursor: str | None
) -> tuple[list[Row[Any]], str | None]:
    """The rows of one page, newest first, and the cursor of the following page."""
    _check(limit)
    query = _narrowed(select_jobs(), wanted)
    if cursor is not None:
        query = query.where(jobs.c.number < _number(cursor))
    rows = list(connection.execute(query.order_by(jobs.c.number.desc()).limit(limit + 1)))
    return rows[:limit], f"n{rows[limit - 1].number}" if len(rows) > limit else None


def grouped_rows(
    connection: Connection, wanted: JobFilter, limit: int, cursor: str | None
) -> tuple[list[Row[Any]], str | None]:
    """The same, group by group (:data:`GROUPS`), newest first inside each."""
    _check(limit)
    first, below = _group_number(cursor)
    gathered: list[tuple[int, Row[Any]]] = []
    for group, states in enumerate(GROUPS[first:], first):
        asked = set(states) & set(wanted.state) if wanted.state else set(states)
        if not asked:
            continue
        query = _narrowed(select_jobs(), wanted.model_copy(update={"state": tuple(asked)}))
        if below is not None and group == first:
            query = query.where(jobs.c.number < below)
        newest = query.order_by(jobs.c.number.desc()).limit(limit + 1 - len(gathered))
        gathered += [(group, row) for row in connection.execute(newest)]
        if len(gathered) > limit:
            group, last = gathered[limit - 1]
            return [row for _, row in gathered[:limit]], f"g{group}n{last.number}"
    return [row for _, row in gathered], None


def matching(connection: Connection, wanted: JobFilter) -> dict[JobState, int]:
    """How many jobs ``wanted`` lets through, by state; states without any are left out.

    They are looked at one by one only where a text or a time is asked for.
    """
    if wanted.search is None and wanted.since is None:
        return _tallied(connection, wanted)
    query = select(jobs.c.state, func.count().label("jobs"))
    rows = connection.execute(_narrowed(query, wanted).group_by(jobs.c.state))
    return {row.state: row.jobs for row in rows}


def _tallied(connection: Connection, wanted: JobFilter) -> dict[JobState, int]:
    numbers: Select[Any] = select(tallies.c.state, func.sum(tallies.c.jobs).label("jobs"))
    query = _alike(numbers, wanted, tallies)
    if wanted.sweep is not None:
        query = query.where(tallies.c.sweep.is_(wanted.sweep))
    return {row.state: row.jobs for row in connection.execute(query.group_by(tallies.c.state))}


def _choices(connection: Connection) -> JobChoices:
    def values(column: Column[str]) -> tuple[str, ...]:
        query = select(column).distinct().order_by(column).limit(MOST_CHOICES)
        return tuple(connection.execute(query).scalars())

    return JobChoices(
        backends=values(tallies.c.backend), environments=values(tallies.c.environment_name)
    )


def _without(wanted: JobFilter, skip: Collection[JobState]) -> JobFilter | None:
    """The filter without some states; ``None`` when nothing is left to list."""
    if not skip:
        return wanted
    states = set(wanted.state or get_args(JobState)) - set(skip)
    return wanted.model_copy(update={"state": tuple(sorted(states))}) if states else None


def _check(limit: int) -> None:
    if not 1 <= limit <= MOST:
        raise InputError(
            f"A page holds 1 to {MOST} jobs, not {limit}.", code="bad-number", field="limit"
        )


def _narrowed(query: Select[Any], wanted: JobFilter) -> Select[Any]:
    query = _alike(query, wanted, jobs)
    if wanted.since is not None:
        query = query.where(jobs.c.submitted_at >= wanted.since)
    if wanted.sweep is not None:
        has = jobs.c.sweep.is_not(None) if wanted.sweep else jobs.c.sweep.is_(None)
        query = query.where(has)
    return _searched(query, wanted.search)


def _alike(query: Select[Any], wanted: JobFilter, table: Table) -> Select[Any]:
    for column, values in (
        (table.c.state, wanted.state),
        (table.c.backend, wanted.backend),
        (table.c.environment_name, wanted.environment),
    ):
        if values:
            query = query.where(column.in_(sorted(set(values))))
    return query


def _searched(query: Select[Any], search: str | None) -> Select[Any]:
    if search is None:
        return query
    if len(search) > SEARCHED or "\0" in search:
        raise InputError("This text is too long to search for.", code="bad-search", field="search")
    for word in search.casefold().split():
        query = query.where(jobs.c.search.contains(word, autoescape=True))
    return query


def _number(cursor: str) -> int:
    given = _CURSOR.fullmatch(cursor)
    if not given:
        raise _bad_cursor()
    return int(given.group(1))


def _group_number(cursor: str | None) -> tuple[int, int | None]:
    if cursor is None:
        return 0, None
    given = _GROUP_CURSOR.fullmatch(cursor)
    if not given:
        raise _bad_cursor()
    return int(given.group(1)), int(given.group(2))


def _bad_cursor() -> InputError:
    return InputError(
        "This cursor is not one that a page gave. Ask for the first page again.",
        code="bad-cursor",
        field="cursor",
    )


def count(connection: Connection) -> JobCounts:
    """The numbers above the list; "today" is the local day of this machine."""
    by_state = _tallied(connection, JobFilter())
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    failed = select(func.count()).where(jobs.c.state == "failed", jobs.c.ended_at >= midnight)
    return JobCounts(
        running=sum(by_state.get(state, 0) for state in ACTIVE),
        queued=sum(by_state.get(state, 0) for state in WAITING),
        failed_today=connection.execute(failed).scalar_one(),
        total=sum(by_state.values()),
        by_state=by_state,
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
