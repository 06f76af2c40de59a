"""What feeds the topics of the live socket while somebody listens.

A feed looks in a thread, publishes what changed, and says so when it cannot look. It holds its
channel's lock from looking to publishing, see ``broadcast.Channel``.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from jupyter_mlinfn.gpus.deltas import delta
from jupyter_mlinfn.gpus.settling import settle
from jupyter_mlinfn.model.errors import MlinfnError, Unavailable
from jupyter_mlinfn.process.feed import collect
from jupyter_mlinfn.server.knowledge import what_is_known
from jupyter_mlinfn.server.messages import JobChanges
from jupyter_mlinfn.server.problems import known
from jupyter_mlinfn.server.showing import shown, shown_page
from jupyter_mlinfn.server.watching import EnvironmentsWatch

if TYPE_CHECKING:
    from jupyter_mlinfn.model.accelerators import GpuSnapshot
    from jupyter_mlinfn.model.sessions import SessionView
    from jupyter_mlinfn.server.broadcast import Channel
    from jupyter_mlinfn.server.messages import Topic
    from jupyter_mlinfn.server.room import Room

Change = tuple[Literal["full", "delta"], bytes]

JOBS_SECONDS = 0.5
JOBS_PAGE = 50
JOBS_AT_ONCE = 500
"""So many changes at once, and the store may have left some out: then the page is sent anew."""
KNOWLEDGE_SECONDS = 2.0
COLLECT_SECONDS = 0.5
"""After the last watcher: until then the ended agent is a zombie of this server."""
AFTER_TROUBLE_SECONDS = 5.0
SESSION_SECONDS = 15.0
"""Between looks at what is known of the session; the hub's service is asked once a minute."""


class Feed(ABC):
    """One topic's source; made for the first listener, its task cancelled after the last."""

    def __init__(self, room: Room, channel: Channel) -> None:
        self.room = room
        self.channel = channel
        self.interval = 1.0
        self._stirred = asyncio.Event()
        self._trouble: str | None = None

    @abstractmethod
    async def full(self) -> bytes | None:
        """The data of a full frame as of the last published change; ``None``: not known yet."""

    @abstractmethod
    async def change(self) -> Change | None:
        """What is new since the last call; ``None``: nothing."""

    async def run(self) -> None:
        """Publish changes until cancelled; trouble is told once, then tried again calmly."""
        while True:
            await self.wait()
            try:
                async with self.channel.lock:
                    if (change := await self.change()) is not None:
                        self.channel.publish(*change)
                    # after trouble all get one: it takes the sentence away that told of it
                    await self.channel.welcome(self, everybody=self._trouble is not None)
                self._trouble = None
            except Exception as error:
                self.tell(error)
                await asyncio.sleep(AFTER_TROUBLE_SECONDS)

    async def wait(self) -> None:
        """Until it is worth looking again, or somebody did something through this server."""
        # no wait_for: before Python 3.12 it forgets a cancellation that comes as it is stirred
        with suppress(TimeoutError):
            async with asyncio.timeout(self.interval):
                await self._stirred.wait()
        self._stirred.clear()

    def stir(self) -> None:
        """Look soon."""
        self._stirred.set()

    def tell(self, error: Exception) -> None:
        """Tell the listeners what is wrong, once."""
        expected = self.explain(error)
        if expected.code != self._trouble:
            self._trouble = expected.code
            frame = self.room.broadcast.trouble(expected, self.channel.topic)
            self.channel.tell(frame)

    def explain(self, error: Exception) -> MlinfnError:
        """What is wrong, for those who listen; a fault of ours is logged."""
        expected = known(error)
        if expected is None:
            self.room.log.error("The live topic %s failed", self.channel.topic, exc_info=error)
            expected = Unavailable("This view cannot be kept up to date for now. See the log.")
        return expected


class JobsFeed(Feed):
    """Jobs: what the index says has changed, with the reconciler looking while somebody listens."""

    def __init__(self, room: Room, channel: Channel) -> None:
        super().__init__(room, channel)
        self.interval = JOBS_SECONDS
        self._revision: int | None = None

    async def full(self) -> bytes:
        """The first page."""
        return await self.room.run(self._page)

    async def change(self) -> Change | None:
        """Changed and deleted jobs since the last look."""
        return await self.room.run(self._look)

    def _page(self) -> bytes:
        store = self.room.workbench.store
        if self._revision is None:
            self._revision = store.revision()
        return shown_page(store.page(limit=JOBS_PAGE), self.room.root).model_dump_json().encode()

    def _look(self) -> Change | None:
        self.room.refresh()
        store, root = self.room.workbench.store, self.room.root
        if self._revision is None:
            self._revision = store.revision()
        self._revision, changed, deleted = store.changed_since(self._revision)
        if not changed and not deleted:
            return None
        if max(len(changed), len(deleted)) >= JOBS_AT_ONCE:
            return "full", self._page()
        changes = JobChanges(
            changed=tuple(shown(job, root) for job in changed),
            deleted=tuple(deleted),
            counts=store.counts(),
        )
        return "delta", changes.model_dump_json().encode()


class TasksFeed(Feed):
    """Environments, and the tasks that work on them; what is looked at is in ``watching.py``."""

    def __init__(self, room: Room, channel: Channel) -> None:
        super().__init__(room, channel)
        self._watch = EnvironmentsWatch(lambda: room.workbench)
        self.interval = self._watch.interval

    async def full(self) -> bytes:
        """Everything as it was published last."""
        return await self.room.run(self._watch.everything)

    async def change(self) -> Change | None:
        """What is other than at the last look."""
        changes = await self.room.run(self._watch.look)
        self.interval = self._watch.interval
        return None if changes is None else ("delta", changes)

    def stir(self) -> None:
        """Look at everything now."""
        self._watch.due = True
        super().stir()


class GpusFeed(Feed):
    """Accelerators: each sample of the sampler, as what changed against the one shown before."""

    def __init__(self, room: Room, channel: Channel) -> None:
        super().__init__(room, channel)
        self._sampled = asyncio.Event()
        self._latest: GpuSnapshot | None = None
        self._shown: GpuSnapshot | None = None

    async def full(self) -> bytes | None:
        """The accelerators as shown last; the first sample is sent as soon as it is there."""
        return None if self._shown is None else self._shown.model_dump_json().encode()

    async def change(self) -> Change | None:
        """What the newest sample changes."""
        if self._latest is None:
            return None
        before, self._shown = self._shown, settle(self._shown, self._latest)
        changes = None if before is None else delta(before, self._shown)
        if changes is None:
            return "full", self._shown.model_dump_json().encode()
        return "delta", json.dumps(changes, separators=(",", ":")).encode()

    async def run(self) -> None:
        """Sample while there are listeners, and look who the processes are now and then."""
        sampler = self.room.make_sampler()
        knowing = asyncio.create_task(self._know())
        stop = sampler.subscribe(self._sample)
        try:
            await super().run()
        finally:
            stop()
            knowing.cancel()
            asyncio.get_running_loop().call_later(COLLECT_SECONDS, collect)

    async def wait(self) -> None:
        """Until the next sample."""
        await self._sampled.wait()
        self._sampled.clear()

    def _sample(self, snapshot: GpuSnapshot) -> None:
        self._latest = snapshot
        self._sampled.set()

    async def _know(self) -> None:
        """Without it holders are shown by their programs' names, so its failure is only logged."""
        failed = False
        while True:
            try:
                self.room.knowledge = await what_is_known(self.room)
                failed = False
            except Exception:
                if not failed:
                    self.room.log.exception("It is not known which notebooks and jobs hold GPUs")
                failed = True
            await asyncio.sleep(KNOWLEDGE_SECONDS)


class SessionFeed(Feed):
    """This server's session on its hub; without a hub there is never anything new."""

    def __init__(self, room: Room, channel: Channel) -> None:
        super().__init__(room, channel)
        self.interval = SESSION_SECONDS
        self._shown: SessionView | None = None

    async def full(self) -> bytes:
        """What the hub's service says."""
        self._shown = await self.room.session.look()
        return self._shown.model_dump_json().encode()

    async def change(self) -> Change | None:
        """The whole, when it is other than what was shown."""
        before, self._shown = self._shown, await self.room.session.look()
        if self._shown == before:
            return None
        return "full", self._shown.model_dump_json().encode()


FEEDS: dict[Topic, Callable[[Room, Channel], Feed]] = {
    "gpus": GpusFeed,
    "jobs": JobsFeed,
    "tasks": TasksFeed,
    "session": SessionFeed,
}
