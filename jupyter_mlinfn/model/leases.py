"""Leases: the right of one session to one accelerator, kept by the hub."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from jupyter_mlinfn.model.states import Frozen

DeviceState = Literal["ready", "draining", "lost", "quarantined"]
Ended = Literal["stopped", "failed", "exited", "culled", "vanished", "lost", "orphaned"]


class Device(Frozen):
    """One device that can be leased; ``pool`` is the name of the accelerator in the offer."""

    uuid: str
    pool: str
    host: str
    model: str
    mig: str | None = None
    parent: str | None = None
    state: DeviceState = "ready"


class Lease(Frozen):
    """``id`` goes into the container's label ``mlinfn.lease``. ``container`` is known once the
    lease is confirmed; ``until`` is the planned end."""

    id: str
    device: Device
    user: str
    server: str = ""
    acquired: AwareDatetime
    until: AwareDatetime | None = None
    container: str | None = None
    released: AwareDatetime | None = None
    ended: Ended | None = None


class PoolState(Frozen):
    """How many devices of a pool there are, are free, and when the next is planned to be.

    ``refused``: how often somebody asked for one and got none, ever.
    """

    pool: str
    total: int = Field(ge=0)
    free: int = Field(ge=0)
    waiting: int = Field(default=0, ge=0)
    next_free: AwareDatetime | None = None
    refused: int = Field(default=0, ge=0)


class Labelled(Frozen):
    """A container that carries the label of a lease, as the engine tells it."""

    container: str
    lease: str
    user: str
    server: str = ""
    devices: tuple[str, ...]
    running: bool


class Place(Frozen):
    """A place in the line of a pool: ``place`` 1 is the next to be served of ``waiting``."""

    ticket: str
    pool: str
    user: str
    server: str = ""
    place: int = Field(ge=1)
    waiting: int = Field(ge=1)
    free: int = Field(default=0, ge=0)
    next_free: AwareDatetime | None = None


class Doubled(Frozen):
    """One device on which more than one holder was found, so nobody gets it any more."""

    device: Device
    containers: tuple[str, ...]
    users: tuple[str, ...]


class Reconciled(Frozen):
    """What a look at the containers of a host set right, for the log and the admin."""

    host: str
    adopted: tuple[Lease, ...] = ()
    released: tuple[Lease, ...] = ()
    quarantined: tuple[Doubled, ...] = ()
    cleared: tuple[Device, ...] = ()
    """Devices that were quarantined and have one holder or none again."""
