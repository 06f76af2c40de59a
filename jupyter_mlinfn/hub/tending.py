"""The hub's round: what devices there are, and whether the leases are what runs.

The first round is made when the hub starts, before anybody gets a device (the book of leases
hands out only what was looked at). After that every half minute: what a killed hub left behind is
free again within two minutes, and what it still runs is adopted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from jupyter_mlinfn.hub.inventory import Inventory
from jupyter_mlinfn.hub.watching import WatchedBook
from jupyter_mlinfn.hub.ways.way import Way
from jupyter_mlinfn.leases.store import LeaseBook
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.leases import Device, Reconciled

LOG = logging.getLogger("JupyterHub.mlinfn")
EVERY = 30.0
"""Seconds from one round to the next."""
SOON = 2.0
"""Seconds after a round that failed: until one was made, nobody gets a device."""


class Round:
    """``host`` is the name of the machine whose devices are looked at; ``starting`` are the
    sessions that are being started at the moment, as user and server: the hub goes on with them."""

    def __init__(
        self,
        book: WatchedBook,
        leases: LeaseBook,
        way: Way,
        inventory: Inventory,
        host: str,
        starting: Collection[tuple[str, str]] = frozenset(),
    ) -> None:
        self._book = book
        self._leases = leases
        self._way = way
        self._inventory = inventory
        self._host = host
        self._starting = starting
        self._failing = ""

    async def go_on(self) -> None:
        """One round after the other, for as long as the hub runs."""
        while True:
            made = await asyncio.to_thread(self.make)
            await asyncio.sleep(EVERY if made else SOON)

    def make(self) -> bool:
        """One round; whether it came to its end. What hinders it is logged once, not each time."""
        try:
            self._take_stock()
            self._reconcile()
        except Exception as error:
            # whatever it is, the next round is made: without one, nobody gets a device
            if self._failing != str(error):
                unknown = None if isinstance(error, MlinfnError) else error
                LOG.error("What runs is not compared with the leases: %s", error, exc_info=unknown)
            self._failing = str(error)
            return False
        if self._failing:
            LOG.warning("What runs is compared with the leases again.")
        self._failing = ""
        return True

    def _take_stock(self) -> None:
        devices = self._inventory(self._book.book().pools)
        if devices is not None:
            self._leases.set_devices(devices, self._host)

    def _reconcile(self) -> None:
        mark = self._leases.mark()
        labelled = self._way.labelled()
        # a copy: starts begin and end in another thread
        starting = frozenset(self._starting)
        _tell(self._leases.reconcile(self._host, labelled, datetime.now(UTC), mark, starting))


def _tell(found: Reconciled) -> None:
    for lease in found.adopted:
        LOG.warning("Adopted: %s holds %s of %s.", lease.container, lease.device.uuid, lease.user)
    for lease in found.released:
        LOG.warning("Released: %s of %s (%s).", lease.device.uuid, lease.user, lease.ended)
    for doubled in found.quarantined:
        LOG.error(
            "%s is held by more than one: %s of %s. Nobody gets it until one is left.",
            doubled.device.uuid, ", ".join(doubled.containers), ", ".join(doubled.users),
        )  # fmt: skip
    _tell_cleared(found.cleared)


def _tell_cleared(devices: Sequence[Device]) -> None:
    for device in devices:
        LOG.warning("%s has one holder or none again.", device.uuid)
