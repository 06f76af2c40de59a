"""What all our spawners do around the start and the end of a session, whoever runs it.

The way of a start: ``apply_user_options`` judges the options and makes the plan; ``start`` makes
the folders, takes a lease (where the hub hands out devices), sets *every* trait the plan owns, lets
the spawner start, and confirms the lease with what it started. The way back is taken from every
point of it: a stop, an exit that a poll sees, a start that fails, a start that is cancelled.

A device goes back only when what used it is seen to be gone. Where nobody can tell, the lease
stays: the round of :mod:`jupyter_mlinfn.hub.tending` finds out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from jupyterhub.spawner import Spawner
from jupyterhub.utils import maybe_future

from jupyter_mlinfn.hub.collaboration.admitting import admit
from jupyter_mlinfn.hub.desk import Desk
from jupyter_mlinfn.hub.refusals import refusal
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.leases import Ended
from jupyter_mlinfn.model.plans import Plan

STATE = "mlinfn"
LOOK_EVERY = 1.0
"""Seconds between two looks at what a waiting start has to say."""
PATIENCE = 30.0
"""Seconds that a cancelled start is waited for: a call of an engine in a thread goes on."""


class PlannedSpawner(Spawner):  # type: ignore[misc]
    """Stands in front of a real spawner in the order of bases; ``desk`` is set by ``configure``."""

    desk: ClassVar[Desk]
    start_timeout: int
    api_token: str

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._usual_timeout = int(self.start_timeout)
        self._plan: Plan | None = None
        self._lease = ""
        self._until: datetime | None = None
        self._known = False
        self._busy = False
        self._said = ""
        self.started_by = ""

    async def plan(self, options: Mapping[str, object]) -> None:
        """Judge ``options`` and get ready for one start. Raises the errors of the offer."""
        self.started_by = await admit(self)
        plan = await self.desk.plan(self.user, options)
        self.start_timeout = self._usual_timeout + self.desk.longest_wait(plan)
        self._plan = plan
        if plan.identity.group is not None:
            self.log.info("%s starts the session of %s", self.started_by, plan.identity.group)

    async def start(self) -> Any:
        """Start what was planned. Raises ``SpawnException`` with a sentence for the person."""
        plan, self._plan = self._plan, None
        if plan is None:
            raise RuntimeError("The options of this start were not judged.")
        self._busy = self._known = True
        session = (self.user.name, self.name)
        self.desk.starting.add(session)
        try:
            return await self._start(plan)
        except MlinfnError as error:
            await self._clear_away()
            raise refusal(error) from error
        except BaseException:
            # a time-out and a person who gives up come as a cancellation
            await self._clear_away()
            raise
        finally:
            self.desk.starting.discard(session)
            self._busy, self._said = False, ""

    async def _start(self, plan: Plan) -> Any:
        await self.desk.make_folders(plan)
        lease = None
        if self.desk.leases_for(plan):
            await self._end_leftover()
            lease = await self.desk.take(plan, self.name, self._say)
            self._lease = lease.id
        self._until = lease.until if lease else self.desk.planned_end(plan)
        for name, value in self.desk.traits(plan, self.name, lease, self._until).items():
            setattr(self, name, value)
        where = await _to_its_end(maybe_future(super().start()))
        if lease is not None:
            await self.desk.confirm(lease, self.what_runs())
        await self.desk.began(plan, self.name, self.what_runs())
        return where

    def what_runs(self) -> str:
        """What a lease is confirmed with: the name under which the session is found again."""
        return str(getattr(self, "object_id", ""))

    async def _end_leftover(self) -> None:
        """End what a killed hub left running under this name, and what it held."""
        token = self.api_token  # the spawners forget it when they see that nothing runs
        if await super().poll() is None:
            await super().stop(now=True)
        self.api_token = token
        await self.desk.release(self.user.name, self.name, "", "orphaned")

    def _say(self, text: str) -> None:
        self._said = text

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What a person reads while she waits; the hub sends it on as it comes."""
        told = ""
        while self._busy and self._said:
            if self._said != told:
                told = self._said
                yield {"progress": 5, "message": told}
            await asyncio.sleep(LOOK_EVERY)
        async for event in super().progress():
            yield event

    async def stop(self, now: bool = False) -> None:
        """Stop the session; its devices are free when it is seen to be gone."""
        ended = await self.desk.end_by_hand(self.user.name, self.name)
        await super().stop(now)
        if await super().poll() is None:
            self.log.warning("%s does not end; what it holds stays leased", self._log_name)
            return
        await self._release(ended)

    async def poll(self) -> Any:
        """As the spawner's own; an end that it sees gives the devices back."""
        status = await super().poll()
        if status is not None and self._known and not self._busy:
            await self._release("exited")
        return status

    async def poll_and_notify(self) -> Any:
        """The hub's regular look: a session that is over its time is ended here."""
        if self._until is not None and datetime.now(UTC) >= self._until and not self.pending:
            self.log.warning("%s has reached the end of its time", self._log_name)
            await self.stop()
        return await super().poll_and_notify()

    async def _clear_away(self) -> None:
        """After a start that came to nothing: end what may run, then give back what is held."""
        try:
            if await super().poll() is None:
                await super().stop(now=True)
            gone = await super().poll() is not None
        except Exception:
            self.log.exception("Nobody knows whether %s runs; its lease stays", self._log_name)
            return
        if gone:
            await self._release("failed")

    async def _release(self, ended: Ended) -> None:
        await self.desk.release(self.user.name, self.name, self._lease, ended)
        await self.desk.over(self.user.name, self.name)
        self._lease, self._until, self._known = "", None, False

    def get_state(self) -> dict[str, Any]:
        """The spawner's own, and what must outlive the hub."""
        state = dict(super().get_state())
        if self._known:
            until = self._until.isoformat() if self._until else None
            state[STATE] = {"lease": self._lease, "until": until, "by": self.started_by}
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """After a restart of the hub."""
        super().load_state(state)
        own = state.get(STATE)
        if own is not None:
            self._lease, self._known = str(own["lease"]), True
            self.started_by = str(own.get("by", ""))
            self._until = datetime.fromisoformat(own["until"]) if own["until"] else None


async def _to_its_end(start: Awaitable[Any]) -> Any:
    """The answer of ``start``. When this is cancelled, it is let come to its end first: a
    container that appears after somebody looked would hold a device that is given away."""
    going = asyncio.ensure_future(start)
    try:
        return await asyncio.shield(going)
    except asyncio.CancelledError:
        await asyncio.wait([going], timeout=PATIENCE)
        going.cancel()
        raise
