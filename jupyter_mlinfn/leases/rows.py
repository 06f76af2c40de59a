"""What is read from the tables, and the two changes every lease goes through: begin and end.

Everything here happens inside a transaction of the caller.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

from jupyter_mlinfn.leases.tables import devices, leases, line, refusals
from jupyter_mlinfn.model.leases import Device, Ended, Lease, PoolState

LOST = "lost"


def new_id() -> str:
    """A name nobody can guess, of 16 letters and digits."""
    return secrets.token_hex(8)


def select_leases(*where: Any) -> Select[Any]:
    """Leases with their devices, the oldest first."""
    columns = [column for column in devices.c if column.name not in ("looked", "turn")]
    query = select(leases, *columns).join(devices, leases.c.device == devices.c.uuid)
    return query.where(*where).order_by(leases.c.number)


def is_open() -> Any:
    """The condition that a lease has not ended."""
    return leases.c.released.is_(None)


def device_of(row: Row[Any]) -> Device:
    """The device in a row that has its columns."""
    return Device(
        uuid=row.uuid,
        pool=row.pool,
        host=row.host,
        model=row.model,
        mig=row.mig,
        parent=row.parent,
        state=row.state,
    )


def lease_of(row: Row[Any]) -> Lease:
    """The lease in a row of :func:`select_leases`."""
    return Lease(
        id=row.id,
        device=device_of(row),
        user=row.person,
        server=row.server,
        acquired=row.acquired,
        until=row.until,
        container=row.container,
        released=row.released,
        ended=row.ended,
    )


def leases_where(connection: Connection, *where: Any) -> tuple[Lease, ...]:
    """The leases these conditions hold for."""
    return tuple(lease_of(row) for row in connection.execute(select_leases(*where)))


def revision(connection: Connection) -> int:
    """The number of the last change of a lease."""
    last = connection.execute(select(func.coalesce(func.max(leases.c.revision), 0))).scalar_one()
    return int(last)


def free_devices(connection: Connection, pools: Collection[str] | None = None) -> list[Row[Any]]:
    """Devices that may be handed out now, the one unused for longest first.

    A slice of a GPU that is leased as a whole is not free, nor is a GPU with a leased slice.
    """
    taken = select(leases.c.device).where(is_open())
    parents = select(devices.c.parent).where(
        devices.c.uuid.in_(taken), devices.c.parent.is_not(None)
    )
    query = select(devices).where(
        devices.c.state == "ready",
        devices.c.looked,
        devices.c.uuid.not_in(taken),
        devices.c.uuid.not_in(parents),
        func.coalesce(devices.c.parent, "").not_in(taken),
    )
    if pools is not None:
        query = query.where(devices.c.pool.in_(pools))
    return list(connection.execute(query.order_by(devices.c.turn, devices.c.uuid)))


def pool_states(
    connection: Connection, now: datetime, pools: Sequence[str] | None = None
) -> tuple[PoolState, ...]:
    """How each pool stands, by name; those in ``pools`` also where they have no device."""
    there = connection.execute(
        select(devices.c.pool, func.count()).where(devices.c.state != LOST).group_by(devices.c.pool)
    )
    totals = {row[0]: int(row[1]) for row in there}
    free: dict[str, int] = {}
    for row in free_devices(connection, pools):
        free[row.pool] = free.get(row.pool, 0) + 1
    counted = select(line.c.pool, func.count()).group_by(line.c.pool)
    waiting = {row[0]: int(row[1]) for row in connection.execute(counted)}
    ends = connection.execute(
        select(devices.c.pool, func.min(leases.c.until))
        .join(devices, leases.c.device == devices.c.uuid)
        .where(is_open(), leases.c.until > now)
        .group_by(devices.c.pool)
    )
    planned = {row[0]: row[1] for row in ends}
    refused = {row[0]: int(row[1]) for row in connection.execute(select(refusals))}
    names = sorted({*totals, *waiting}) if pools is None else pools
    return tuple(
        PoolState(
            pool=name,
            total=totals.get(name, 0),
            free=free.get(name, 0),
            waiting=waiting.get(name, 0),
            next_free=planned.get(name),
            refused=refused.get(name, 0),
        )
        for name in names
    )


def begin(connection: Connection, device: str, **values: Any) -> None:
    """Write an open lease on ``device``. The index refuses a second one."""
    turn = revision(connection) + 1
    connection.execute(leases.insert().values(device=device, revision=turn, **values))
    _turn(connection, device, turn)


def change(connection: Connection, lease: str, **values: Any) -> None:
    """Write new values of the lease with this id."""
    turn = revision(connection) + 1
    query = update(leases).where(leases.c.id == lease).values(revision=turn, **values)
    device = connection.execute(query.returning(leases.c.device)).scalar_one()
    _turn(connection, device, turn)


def end(connection: Connection, lease: str, ended: Ended, now: datetime) -> None:
    """The lease with this id is over, and its device is free."""
    change(connection, lease, released=now, ended=ended)


def _turn(connection: Connection, device: str, turn: int) -> None:
    connection.execute(update(devices).where(devices.c.uuid == device).values(turn=turn))
