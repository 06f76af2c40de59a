"""The line of those who wait for a device: first come, first served, one line for each pool.

It is kept in the database, so it outlives a restart of the hub. A waiter who is not heard of for a
while has left without a word, and his place is given up.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from jupyter_mlinfn.leases.rows import new_id, pool_states
from jupyter_mlinfn.leases.steady import Steady
from jupyter_mlinfn.leases.tables import line, refusals
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.leases import Place

_WAITER = "waiter"


def waiters(connection: Connection, pool: str, steady: Steady, patience: float) -> list[Row[Any]]:
    """Who waits for ``pool``, the next one first. Those not heard of for ``patience`` seconds are
    taken out."""
    query = select(line).where(line.c.pool == pool).order_by(line.c.number)
    here: list[Row[Any]] = []
    gone: list[Row[Any]] = []
    for row in connection.execute(query):
        silent = steady.lasted(_WAITER, row.ticket, row.beat) >= patience
        (gone if silent else here).append(row)
    for row in gone:
        drop(connection, row.ticket, steady)
    return here


def stand(connection: Connection, pool: str, user: str, server: str, now: datetime) -> str:
    """The ticket of the place of this session, at the end of the line when it is a new one."""
    own = select(line.c.ticket).where(*_of(pool, user, server))
    ticket = connection.execute(own).scalar()
    if ticket is not None:
        hear(connection, ticket)
        return str(ticket)
    made = new_id()
    connection.execute(
        line.insert().values(ticket=made, pool=pool, person=user, server=server, since=now, beat=0)
    )
    return made


def hear(connection: Connection, ticket: str) -> None:
    """The waiter is still there."""
    beat = update(line).where(line.c.ticket == ticket).values(beat=line.c.beat + 1)
    connection.execute(beat)


def drop(connection: Connection, ticket: str, steady: Steady) -> None:
    """The place is given up. Nothing happens where it is gone already."""
    connection.execute(delete(line).where(line.c.ticket == ticket))
    steady.forget(_WAITER, ticket)


def pool_of(connection: Connection, ticket: str) -> str:
    """The pool somebody waits for. Raises :class:`NotFound` (``place-gone``)."""
    found = connection.execute(select(line.c.pool).where(line.c.ticket == ticket)).scalar()
    if found is None:
        raise NotFound(
            "Your place in the line is gone, because you were not heard of for a while. "
            "Start your server again to wait anew.",
            code="place-gone",
        )
    return str(found)


def place_of(connection: Connection, ticket: str, here: list[Row[Any]], now: datetime) -> Place:
    """Where ``ticket``, just heard, stands among those ``here``."""
    index, row = next((i, row) for i, row in enumerate(here) if row.ticket == ticket)
    state = pool_states(connection, now, (row.pool,))[0]
    return Place(
        ticket=ticket,
        pool=row.pool,
        user=row.person,
        server=row.server,
        place=index + 1,
        waiting=len(here),
        free=state.free,
        next_free=state.next_free,
    )


def ahead(here: list[Row[Any]], user: str, server: str) -> tuple[int, str | None]:
    """How many are to be served before this session, and the ticket of its place if it has one."""
    for index, row in enumerate(here):
        if (row.person, row.server) == (user, server):
            return index, str(row.ticket)
    return len(here), None


def note_refusal(connection: Connection, pool: str) -> None:
    """Somebody asked for a device of ``pool`` and got none."""
    one_more = update(refusals).where(refusals.c.pool == pool).values(count=refusals.c.count + 1)
    if not connection.execute(one_more).rowcount:
        connection.execute(refusals.insert().values(pool=pool, count=1))


def _of(pool: str, user: str, server: str) -> tuple[Any, ...]:
    return line.c.pool == pool, line.c.person == user, line.c.server == server
