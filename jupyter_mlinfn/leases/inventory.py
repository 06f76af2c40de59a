"""Which devices there are: new ones come in, vanished ones drain and are lost.

A device is known by its UUID alone. After a re-partition the slice at the same place has another
one: it is another device, and no lease ever moves to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from jupyter_mlinfn.leases.rows import LOST, end, is_open
from jupyter_mlinfn.leases.steady import Steady
from jupyter_mlinfn.leases.tables import devices, leases
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.leases import Device

_AWAY = "away"


def take_in(connection: Connection, given: Sequence[Device], host: str) -> None:
    """``given`` are all devices of ``host`` now.

    New ones, and those that come back, are not handed out before a look at the containers of
    the host: one of them may hold it. One that is gone drains: its lease stays, nobody gets it.
    """
    _check(given, host)
    known = {row.uuid: row for row in connection.execute(select(devices))}
    for device in given:
        _present(connection, device, known.get(device.uuid))
    there = {device.uuid for device in given}
    for uuid, row in known.items():
        if row.host == host and uuid not in there and row.state in ("ready", "quarantined"):
            _set(connection, uuid, state="draining")


def lose(
    connection: Connection, host: str, steady: Steady, grace: float, now: datetime
) -> list[str]:
    """Devices away for ``grace`` seconds are lost, with their leases; the ids of those."""
    draining = select(devices.c.uuid).where(devices.c.host == host)
    away = list(connection.execute(draining.where(devices.c.state == "draining")).scalars())
    ended = []
    for uuid in away:
        if steady.lasted(_AWAY, uuid) < grace:
            continue
        _set(connection, uuid, state=LOST)
        open_ = select(leases.c.id).where(leases.c.device == uuid, is_open())
        for lease in connection.execute(open_).scalars().all():
            end(connection, lease, "lost", now)
            ended.append(str(lease))
    here = select(devices.c.uuid).where(devices.c.host == host)
    steady.keep(_AWAY, away, connection.execute(here).scalars())
    return ended


def _check(given: Sequence[Device], host: str) -> None:
    if len({device.uuid for device in given}) < len(given):
        raise InputError(f"A device of {host} is named twice.", code="device-twice")
    for device in given:
        if device.host != host:
            raise InputError(
                f"The device {device.uuid} is of {device.host}, not of {host}.",
                code="other-host",
            )


def _present(connection: Connection, device: Device, row: Row[Any] | None) -> None:
    told: dict[str, Any] = {
        "pool": device.pool,
        "host": device.host,
        "model": device.model,
        "mig": device.mig,
        "parent": device.parent,
    }
    if row is None:
        new = {"uuid": device.uuid, "state": "ready", "looked": False, "turn": 0}
        connection.execute(devices.insert().values(**new, **told))
        return
    if row.state in (LOST, "draining") or row.host != device.host:
        told |= {"state": "ready", "looked": False}
    if any(row._mapping[name] != value for name, value in told.items()):
        _set(connection, device.uuid, **told)


def _set(connection: Connection, uuid: str, **values: Any) -> None:
    connection.execute(update(devices).where(devices.c.uuid == uuid).values(**values))
