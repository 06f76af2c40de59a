"""What all spawners of one hub share: the offer, the way sessions are run, devices, folders.

A person's options come here twice: as the page that shows what there is, and as the plan of one
start. Both are made from the file and from her groups as they are at that moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyter_mlinfn.hub.collaboration.page import ROUTE, groups_for
from jupyter_mlinfn.hub.identity import identity_of
from jupyter_mlinfn.hub.page import Page, make_page, render
from jupyter_mlinfn.hub.reclaim.journal import Journal
from jupyter_mlinfn.hub.reclaim.sessions import SessionFacts, Sessions
from jupyter_mlinfn.hub.watching import WatchedBook
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.leases import Ended, Lease, PoolState
from jupyter_mlinfn.model.plans import Plan
from jupyter_mlinfn.profiles.choice import choose
from jupyter_mlinfn.profiles.offer import make_offer
from jupyter_mlinfn.profiles.planning import make_plan
from jupyter_mlinfn.profiles.spawners.honouring import sentences
from jupyter_mlinfn.profiles.values import EVERYONE

if TYPE_CHECKING:
    from jupyter_mlinfn.hub.counter import Counter
    from jupyter_mlinfn.hub.ways.way import Way

LOG = logging.getLogger("JupyterHub.mlinfn")
Folders = Callable[[Plan, Sequence[str]], None]
CULLED_WITHIN = timedelta(minutes=5)
"""From the decision to end a session to its stop by the culler, which asks for it at once."""


class Desk:
    """``counter`` is ``None`` where the hub hands out no devices; ``folders`` makes the areas of
    a plan below the roots of the file, and blocks for that. ``starting`` are the sessions that
    are being started, as user and server; ``journal`` is what the hub's service writes."""

    def __init__(
        self,
        book: WatchedBook,
        way: Way,
        counter: Counter | None,
        sessions: Sessions,
        folders: Folders,
        journal: Journal,
    ) -> None:
        self.book = book
        self.way = way
        self.counter = counter
        self._sessions = sessions
        self._folders = folders
        self._journal = journal
        self.starting: set[tuple[str, str]] = set()

    async def plan(self, user: Any, options: Mapping[str, object]) -> Plan:
        """The session that ``options`` stand for, for this person at this moment. Raises
        :class:`InputError` and :class:`Refused` with the field's name."""
        book = await asyncio.to_thread(self.book.book)
        identity = identity_of(user)
        offer = make_offer(book, identity)
        plan = make_plan(book, offer, choose(offer, options), identity)
        told = sentences(plan, self.way.kind, plan.profile) if plan.advisory else ()
        return plan.model_copy(update={"unkept": told})

    async def form(self, spawner: Any) -> str:
        """The spawn page of the person whose server it is."""
        return render(await self.page(spawner))

    async def page(self, spawner: Any) -> Page:
        """What is on the page. Whoever looks at it is told of a wrong file if she is an admin."""
        book = await asyncio.to_thread(self.book.book)
        identity = identity_of(spawner.user)
        pools, silent = await self._pools()
        viewer = getattr(spawner.handler, "current_user", None) or spawner.user
        last = spawner.orm_spawner.user_options
        return make_page(
            make_offer(book, identity),
            last if isinstance(last, Mapping) else {},
            pools,
            datetime.now().astimezone(),
            groups=sorted(identity.groups),
            problem=self.book.problem if viewer.admin else None,
            silent=silent,
            unkept={
                one.name: sentences(book, self.way.kind, one.name)
                for one in book.profile
                if one.advisory
            },
            whole_group=identity.group,
            together=f"{spawner.hub.base_url}{ROUTE}"
            if groups_for(book, identity.groups)
            else None,
        )

    async def _pools(self) -> tuple[tuple[PoolState, ...], str | None]:
        if self.counter is None:
            return (), None
        try:
            return await self.counter.pools(), None
        except Unavailable as error:
            return (), error.text

    def traits(
        self, plan: Plan, server: str, lease: Lease | None, until: datetime | None
    ) -> dict[str, Any]:
        """Every trait of the spawner that the plan owns, also those that are empty."""
        return self.way.traits(plan, server, lease, until, self.roots())

    def roots(self) -> tuple[str, ...]:
        """The folders of the host below which everything lies that a session is shown."""
        return self.book.last.ceiling.roots

    def groups(self) -> frozenset[str]:
        """All groups that any profile is for: who may log in, where the login asks for that."""
        profiles = self.book.book().profile
        return frozenset(group for one in profiles for group in one.groups) - {EVERYONE}

    def planned_end(self, plan: Plan) -> datetime | None:
        """When a session that starts now has to end."""
        if plan.limits.longest is None:
            return None
        return datetime.now(UTC) + timedelta(seconds=plan.limits.longest)

    def longest_wait(self, plan: Plan) -> int:
        """Seconds that a start may spend in line."""
        if plan.on_full == "refuse" or plan.pool is None or self.counter is None:
            return 0
        return int(self.counter.patience) + 1

    def leases_for(self, plan: Plan) -> bool:
        """Whether a device is leased for this plan."""
        return plan.pool is not None and self.counter is not None

    async def make_folders(self, plan: Plan) -> None:
        """Make what the plan wants made. Raises the errors of the storage room."""
        await asyncio.to_thread(self._folders, plan, self.roots())

    async def take(self, plan: Plan, server: str, say: Callable[[str], None]) -> Lease:
        """As :meth:`jupyter_mlinfn.hub.counter.Counter.take`."""
        assert self.counter is not None
        return await self.counter.take(plan, server, partial(self.planned_end, plan), say)

    async def confirm(self, lease: Lease, container: str) -> None:
        """As :meth:`jupyter_mlinfn.hub.counter.Counter.confirm`."""
        assert self.counter is not None
        await self.counter.confirm(lease, container)

    async def release(self, user: str, server: str, lease: str, ended: Ended) -> None:
        """What a session held is free: ``lease``, or whatever it has that nothing runs on, where
        nobody remembers its lease."""
        if self.counter is None:
            return
        if lease:
            await self.counter.release(lease, ended)
            return
        held = await self.counter.held_by(user, server)
        if held:
            running = {
                one.lease for one in await asyncio.to_thread(self.way.labelled) if one.running
            }
            for one in held:
                if one.id not in running:
                    await self.counter.release(one.id, ended)

    async def began(self, plan: Plan, server: str, container: str) -> None:
        """Tell the hub's service of a session that runs."""
        facts = SessionFacts(
            user=plan.identity.name,
            server=server,
            profile=plan.profile,
            started=datetime.now(UTC),
            limits=plan.limits,
            container=container or None,
        )
        await asyncio.to_thread(self._sessions.tell, facts)

    async def end_by_hand(self, user: str, server: str) -> Ended:
        """How a session ends that is being stopped now: the culler stops what was decided to end
        a moment ago, anything else is stopped by somebody."""
        return await asyncio.to_thread(self._end_by_hand, user, server)

    def _end_by_hand(self, user: str, server: str) -> Ended:
        try:
            facts, last = self._sessions.of(user, server), self._journal.last(user, server)
        except OSError as error:
            LOG.warning("Who ended a session of %s is not known: %s", user, error)
            return "stopped"
        if facts is None or last is None or last.decision != "cull" or last.dry_run:
            return "stopped"
        recent = max(facts.started, datetime.now(UTC) - CULLED_WITHIN)
        return "culled" if last.time >= recent else "stopped"

    async def over(self, user: str, server: str) -> None:
        """The session has ended."""
        await asyncio.to_thread(self._sessions.forget, user, server)
