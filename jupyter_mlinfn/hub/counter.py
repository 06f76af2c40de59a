"""Where devices are handed out and taken back: the book of leases, off the event loop.

Every call of the book is a short transaction that may wait for a disk or another hub's lock, so
each runs in a thread. A start that is cancelled while its claim runs gives back what it gets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from jupyter_mlinfn.hub.free import show_people
from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.leases.store import LeaseBook
from jupyter_mlinfn.model.errors import NotFound, Refused
from jupyter_mlinfn.model.leases import Ended, Lease, Place, PoolState
from jupyter_mlinfn.model.plans import Plan, Pool
from jupyter_mlinfn.model.quantities import show_duration, show_moment

LOG = logging.getLogger("JupyterHub.mlinfn")
ASK_EVERY = 2.0
"""Seconds between two tries of one waiter; the book gives a place up after a minute of silence."""
SEEN_FOR = 1.0
"""Seconds for which the counts of all pools are the same for everybody who opens the page."""


class Counter:
    """``patience``: seconds for which somebody waits in line before she is told to come back."""

    def __init__(self, leases: LeaseBook, patience: float = 1800.0) -> None:
        self.leases = leases
        self.patience = patience
        self._pools: asyncio.Task[tuple[PoolState, ...]] | None = None
        self._asked = 0.0

    async def pools(self) -> tuple[PoolState, ...]:
        """How each pool stands; one question for all who ask within :data:`SEEN_FOR`."""
        now = time.monotonic()
        if self._pools is None or now - self._asked >= SEEN_FOR:
            self._asked = now
            self._pools = asyncio.ensure_future(asyncio.to_thread(self.leases.pools))
        return await asyncio.shield(self._pools)

    async def take(
        self,
        plan: Plan,
        server: str,
        until: Callable[[], datetime | None],
        say: Callable[[str], None],
    ) -> Lease:
        """A device for the session, at once or, where the profile says so, after waiting in line.

        ``until`` is the planned end of a session that starts now, ``say`` is told what a waiter
        should read. Raises :class:`NoneFree` (429) when there is
        none, :class:`WaitedInVain` (429) when nothing became free in time.
        """
        pool = plan.pool
        assert pool is not None
        claim = partial(self._claim, pool.name, plan.identity.name, server, until)
        try:
            return await claim()
        except NoneFree as error:
            if plan.on_full == "refuse" or not error.pool.total:
                raise NoneFree(error.pool, datetime.now(UTC), pool.title) from error
        return await self._wait(pool, plan.identity.name, server, claim, say)

    async def confirm(self, lease: Lease, container: str) -> None:
        """The container runs. Raises ``Conflict`` when it must not: its lease has ended."""
        await asyncio.to_thread(self.leases.confirm, lease.id, container)

    async def held_by(self, user: str, server: str) -> tuple[Lease, ...]:
        """The open leases of a session."""
        return await asyncio.to_thread(self.leases.held_by, user, server)

    async def release(self, lease: str, ended: Ended) -> None:
        """The device is free; a lease that has ended keeps its first end."""
        found = await asyncio.to_thread(self.leases.release, lease, ended)
        if found is not None:
            LOG.info("%s of %s is free: %s", found.device.uuid, found.user, found.ended)

    async def _claim(
        self, pool: str, user: str, server: str, until: Callable[[], datetime | None]
    ) -> Lease:
        going = asyncio.ensure_future(
            asyncio.to_thread(self.leases.claim, pool, user, server, until())
        )
        try:
            return await asyncio.shield(going)
        except asyncio.CancelledError:
            with suppress(NoneFree):
                # a thread cannot be called back: what it gets is nobody's
                await asyncio.to_thread(self.leases.release, (await going).id, "failed")
            raise

    async def _wait(
        self,
        pool: Pool,
        user: str,
        server: str,
        claim: Callable[[], Awaitable[Lease]],
        say: Callable[[str], None],
    ) -> Lease:
        place = await asyncio.to_thread(self.leases.wait, pool.name, user, server)
        give_up = time.monotonic() + self.patience
        try:
            while time.monotonic() < give_up:
                say(in_line(place, pool.title, datetime.now(UTC)))
                await asyncio.sleep(ASK_EVERY)
                with suppress(NoneFree):
                    return await claim()
                with suppress(NotFound):
                    place = await asyncio.to_thread(self.leases.place, place.ticket)
                    continue
                place = await asyncio.to_thread(self.leases.wait, pool.name, user, server)
        finally:
            await asyncio.shield(asyncio.to_thread(self.leases.leave, place.ticket))
        raise WaitedInVain(place, pool.title, self.patience, datetime.now(UTC))


def in_line(place: Place, title: str, now: datetime) -> str:
    """What a waiter reads."""
    before = place.place - 1
    who = f"{show_people(before)} {'is' if before == 1 else 'are'} before you."
    told = f"All {title} are taken. {who if before else 'You are next in line.'}"
    if place.next_free is not None:
        told += f" The next planned end is {show_moment(place.next_free, now)}."
    return f"{told} Your server starts by itself when it is your turn."


class WaitedInVain(Refused):
    """Nothing became free for as long as one may wait."""

    status = 429
    default_code = "waited-in-vain"

    def __init__(self, place: Place, title: str, waited: float, now: datetime) -> None:
        text = f"No {title} became free within {show_duration(waited)}."
        if place.next_free is not None:
            text += f" The next planned end is {show_moment(place.next_free, now)}."
        super().__init__(f"{text} Try again later, or choose another one.")
