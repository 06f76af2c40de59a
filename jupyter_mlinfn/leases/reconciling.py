"""Sets the leases of a host right from its containers: their labels are the truth.

A container without a lease is adopted. A lease without a container is released after a grace. Two
holders of one device: nobody else gets it, and the admin is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from jupyter_mlinfn.leases.rows import (
    LOST,
    begin,
    change,
    device_of,
    end,
    is_open,
    leases_where,
    new_id,
    select_leases,
)
from jupyter_mlinfn.leases.steady import Steady
from jupyter_mlinfn.leases.tables import devices, leases
from jupyter_mlinfn.model.leases import Doubled, Ended, Labelled, Lease, Reconciled

GONE: Final = "gone"
_STRANGE: Final = "strange"


@dataclass(frozen=True)
class Look:
    """What was seen on ``host``. ``mark``: the last change of a lease before the containers were
    listed; what changed later is not judged by the list. ``starting``: leases whose containers
    this very process is about to make."""

    host: str
    labelled: Sequence[Labelled]
    now: datetime
    mark: int | None = None
    starting: frozenset[str] = frozenset()


@dataclass
class _Scene:
    """The rows of one host, and who sits where."""

    devices: dict[str, Row[Any]]
    open: dict[str, Row[Any]]
    seats: dict[str, list[Labelled]]


@dataclass
class _Findings:
    adopted: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    quarantined: list[Doubled] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)


def reconcile(connection: Connection, look: Look, steady: Steady, grace: float) -> Reconciled:
    """Judge, and write what follows, in the caller's transaction."""
    scene = _scene(connection, look)
    found = _Findings()
    for uuid, here in sorted(scene.seats.items()):
        _seated(connection, scene.devices[uuid], here, scene.open.get(uuid), look, steady, found)
    _empty(connection, scene, look, steady, grace, found)
    _clear(connection, scene, found)
    seen = [uuid for uuid, row in scene.devices.items() if not _changed_since(row, look.mark)]
    connection.execute(update(devices).where(devices.c.uuid.in_(seen)).values(looked=True))
    cleared = connection.execute(select(devices).where(devices.c.uuid.in_(found.cleared)))
    return Reconciled(
        host=look.host,
        adopted=_told(connection, found.adopted),
        released=_told(connection, found.released),
        quarantined=tuple(found.quarantined),
        cleared=tuple(device_of(row) for row in cleared),
    )


def _told(connection: Connection, ids: list[str]) -> tuple[Lease, ...]:
    return leases_where(connection, leases.c.id.in_(ids)) if ids else ()


def _scene(connection: Connection, look: Look) -> _Scene:
    rows = connection.execute(select(devices).where(devices.c.host == look.host))
    here = {row.uuid: row for row in rows}
    of_host = select_leases(is_open(), devices.c.host == look.host)
    open_ = {row.uuid: row for row in connection.execute(of_host)}
    by_id = {row.id: row for row in open_.values()}
    seats: dict[str, list[Labelled]] = {}
    for labelled in look.labelled:
        if not labelled.running:
            continue
        lease = by_id.get(labelled.lease)
        held = labelled.devices or (() if lease is None else (lease.uuid,))
        for uuid in set(held):
            if uuid in here and here[uuid].state != LOST:
                seats.setdefault(uuid, []).append(labelled)
    return _Scene(here, open_, seats)


def _seated(
    connection: Connection,
    device: Row[Any],
    here: list[Labelled],
    lease: Row[Any] | None,
    look: Look,
    steady: Steady,
    found: _Findings,
) -> None:
    """Containers run on ``device``."""
    if _changed_since(device, look.mark):
        return
    here = sorted(here, key=lambda one: (lease is None or one.lease != lease.id, one.container))
    first = here[0]
    if lease is None:
        found.adopted.append(_adopt(connection, device.uuid, first, look.now))
    elif _owns(first, lease):
        steady.forget(GONE, lease.id)
        if lease.container != first.container and lease.id not in look.starting:
            change(connection, lease.id, container=first.container)
            found.adopted.append(lease.id)
    elif look.mark is not None or steady.lasted(_STRANGE, lease.id, first.container) > 0:
        _quarantine(connection, device, here, lease, found)
        return
    if len({one.container for one in here}) > 1:
        _quarantine(connection, device, here, None, found)


def _owns(one: Labelled, lease: Row[Any]) -> bool:
    return bool(one.lease == lease.id or one.container == lease.container)


def _changed_since(device: Row[Any], mark: int | None) -> bool:
    """Whether the device changed hands after the containers were listed."""
    return mark is not None and bool(device.turn > mark)


def _adopt(connection: Connection, uuid: str, one: Labelled, now: datetime) -> str:
    """The container holds the device, whatever is written: write it; the lease's id."""
    own = connection.execute(select(leases).where(leases.c.id == one.lease)).one_or_none()
    if own is not None and own.device == uuid and own.person == one.user:
        change(connection, own.id, released=None, ended=None, container=one.container)
        return str(own.id)
    made = one.lease if own is None and one.lease else new_id()
    begin(
        connection,
        uuid,
        id=made,
        person=one.user,
        server=one.server,
        acquired=now,
        container=one.container,
    )
    return made


def _quarantine(
    connection: Connection,
    device: Row[Any],
    here: list[Labelled],
    lease: Row[Any] | None,
    found: _Findings,
) -> None:
    if device.state != "ready":
        return  # told already, or nobody gets it in any case
    query = update(devices).where(devices.c.uuid == device.uuid).values(state="quarantined")
    connection.execute(query)
    users = {one.user for one in here} | ({lease.person} if lease is not None else set())
    found.quarantined.append(
        Doubled(
            device=device_of(device).model_copy(update={"state": "quarantined"}),
            containers=tuple(sorted({one.container for one in here})),
            users=tuple(sorted(users)),
        )
    )


def _empty(
    connection: Connection,
    scene: _Scene,
    look: Look,
    steady: Steady,
    grace: float,
    found: _Findings,
) -> None:
    """Leases on whose device no container runs end, when that lasts."""
    stopped = {one.lease for one in look.labelled if not one.running}
    for uuid, lease in scene.open.items():
        if uuid in scene.seats or lease.id in look.starting:
            continue
        if _changed_since(scene.devices[uuid], look.mark):
            continue
        if steady.lasted(GONE, lease.id, lease.revision) < grace:
            continue
        steady.forget(GONE, lease.id)
        end(connection, lease.id, _how(lease, stopped), look.now)
        found.released.append(lease.id)


def _how(lease: Row[Any], stopped: set[str]) -> Ended:
    if lease.container is None:
        return "orphaned"
    return "exited" if lease.id in stopped else "vanished"


def _clear(connection: Connection, scene: _Scene, found: _Findings) -> None:
    """A quarantined device with at most one holder left is as good as any again."""
    for uuid, device in scene.devices.items():
        here = scene.seats.get(uuid, [])
        if device.state != "quarantined" or len({one.container for one in here}) > 1:
            continue
        lease = scene.open.get(uuid)
        if here and lease is not None and not _owns(here[0], lease):
            continue
        connection.execute(update(devices).where(devices.c.uuid == uuid).values(state="ready"))
        found.cleared.append(uuid)
