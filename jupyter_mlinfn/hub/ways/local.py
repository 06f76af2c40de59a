"""Sessions as processes of the hub's machine: for a first try, or people who have accounts there.

A process carries its lease in ``MLINFN_LEASE``, which is how it is found again. What runs as the
user can be forged by the user: such a hub is for people who trust each other.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import psutil
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner

from jupyter_mlinfn.hub.spawning import PlannedSpawner
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.leases import Labelled, Lease
from jupyter_mlinfn.model.plans import Plan, SpawnerKind
from jupyter_mlinfn.profiles.spawners.local import traits
from jupyter_mlinfn.profiles.spawners.sites import LocalSite

LEASE = "MLINFN_LEASE"
USER = "JUPYTERHUB_USER"
SERVER = "JUPYTERHUB_SERVER_NAME"
DEVICES = "NVIDIA_VISIBLE_DEVICES"


class PlannedLocalSpawner(PlannedSpawner, LocalProcessSpawner):  # type: ignore[misc]
    """For people who have an account on the hub's machine."""

    def what_runs(self) -> str:
        """The process, by number and start: a number alone comes again."""
        return process_name(psutil.Process(self.pid))


class PlannedTrialSpawner(PlannedLocalSpawner, SimpleLocalProcessSpawner):  # type: ignore[misc]
    """For a first try: everybody is the hub's own account, in folders below ``home_dir``."""


class LocalWay:
    """``accounts``: everybody has an account here and runs as herself."""

    kind: SpawnerKind = "local"
    leases = True

    def __init__(self, site: LocalSite, *, accounts: bool) -> None:
        self.site = site
        self._accounts = accounts
        self.spawner: type[PlannedSpawner] = (
            PlannedLocalSpawner if accounts else PlannedTrialSpawner
        )

    def traits(
        self,
        plan: Plan,
        server: str,
        lease: Lease | None,
        until: datetime | None,
        roots: Sequence[str],
    ) -> dict[str, Any]:
        """As :func:`jupyter_mlinfn.profiles.spawners.local.traits`, and the lease's name."""
        devices = () if lease is None else (lease.device.uuid,)
        told = traits(plan, self.site, devices, until=until)
        named = {} if lease is None else {LEASE: lease.id}
        return {**told, "environment": {**told["environment"], **named}}

    def owner(self, plan: Plan) -> tuple[int, int]:
        """The person's account here; the hub's own for a first try."""
        if not self._accounts:
            return os.geteuid(), os.getegid()
        try:
            account = pwd.getpwnam(plan.identity.name)
        except KeyError:
            raise Refused("You have no account on this machine.", code="no-account") from None
        return account.pw_uid, account.pw_gid

    def labelled(self) -> Sequence[Labelled]:
        """All session leaders of this machine that carry a lease."""
        return tuple(_labelled())


def process_name(process: psutil.Process) -> str:
    """``process:PID:START``; START in seconds of the epoch."""
    return f"process:{process.pid}:{process.create_time():.2f}"


def _labelled() -> Iterator[Labelled]:
    for process in psutil.process_iter():
        # a process that ends meanwhile holds nothing; another person's cannot be looked into
        with suppress(psutil.Error):
            told = process.environ()
            # what a session starts inherits the name: the session itself leads
            if LEASE in told and not _inherited(process, told[LEASE]):
                yield Labelled(
                    container=process_name(process),
                    lease=told[LEASE],
                    user=told.get(USER, ""),
                    server=told.get(SERVER, ""),
                    devices=tuple(told.get(DEVICES, "").split(",")),
                    running=process.status() != psutil.STATUS_ZOMBIE,
                )


def _inherited(process: psutil.Process, lease: str) -> bool:
    parent = process.parent()
    with suppress(psutil.Error):
        return parent is not None and parent.environ().get(LEASE) == lease
    return False
