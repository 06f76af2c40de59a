"""The live clients: who listens to what, frames made once for all, pauses, requests to save."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.server import messages
from jupyter_mlinfn.server.feeds import FEEDS
from jupyter_mlinfn.server.saving import Saving

if TYPE_CHECKING:
    from jupyter_mlinfn.server.feeds import Feed
    from jupyter_mlinfn.server.live import LiveSocket
    from jupyter_mlinfn.server.messages import Topic
    from jupyter_mlinfn.server.room import Room

LONGEST_WATCH = 15.0
PAUSED = (
    "Nobody has used this page for a while, so the live view was closed to let an idle server "
    "be stopped. Jobs go on."
)


class Broadcast:
    """All clients of one server. Everything here runs on the event loop."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.clients: set[LiveSocket] = set()
        self.saving = Saving(self)
        self.channels: dict[Topic, Channel] = {
            topic: Channel(room, topic, feed) for topic, feed in FEEDS.items()
        }
        self._watch: asyncio.Task[None] | None = None

    async def attach(self, client: LiveSocket) -> None:
        """A page came. With the first one the ``mlinfn`` program can find this server."""
        self.used(client)
        self.clients.add(client)
        if len(self.clients) == 1:
            await self.room.run(self._announce)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_for_idleness())

    def detach(self, client: LiveSocket) -> None:
        """A page went. After the last one nothing is left running. Harmless when repeated."""
        self.clients.discard(client)
        self.saving.gone(client)
        for channel in self.channels.values():
            channel.leave(client)
        if not self.clients:
            self._announce()
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None

    def _announce(self) -> None:
        """Keep the runtime file exactly while a page is attached."""
        with self.room.runtime_lock:
            if self.clients:
                self.room.runtime_file.write()
            else:
                self.room.runtime_file.remove()

    async def subscribe(self, client: LiveSocket, topic: Topic) -> None:
        """Send ``topic`` to ``client``, beginning with a full frame."""
        if client in self.clients:
            await self.channels[topic].join(client)

    async def unsubscribe(self, client: LiveSocket, topic: Topic) -> None:
        """Send ``topic`` no longer."""
        self.channels[topic].leave(client)

    def used(self, client: LiveSocket) -> None:
        """The person used the page."""
        client.active_at = asyncio.get_running_loop().time()

    def trouble(self, error: MlinfnError, topic: Topic | None = None) -> bytes:
        """The frame that tells a page what is wrong."""
        frame = messages.Trouble(topic=topic, code=error.code, text=error.text)
        return frame.model_dump_json().encode()

    async def _watch_for_idleness(self) -> None:
        patience = self.room.idle_minutes * 60
        while patience > 0:
            await asyncio.sleep(min(LONGEST_WATCH, patience / 4))
            before = asyncio.get_running_loop().time() - patience
            for client in [one for one in self.clients if one.active_at < before]:
                client.send(messages.Paused(reason=PAUSED).model_dump_json().encode())
                client.close(messages.CLOSE_PAUSED, "paused")
                self.detach(client)

    async def close(self) -> None:
        """The server stops: end every feed and every connection."""
        for client in list(self.clients):
            client.close(1001, "the server stops")
            self.detach(client)
        for channel in self.channels.values():
            await channel.stop()


class Channel:
    """One topic: its listeners, its numbered frames, and the feed that runs while somebody listens.

    ``lock`` is held by the feed while it reads and publishes a change, and here while a full
    frame is read: so no change falls between a client's full frame and its next delta. Only who
    has had a full frame is a listener; the others are interested, and those to whom none could
    be read are waiting for the feed to read one.
    """

    def __init__(self, room: Room, topic: Topic, feed: Callable[[Room, Channel], Feed]) -> None:
        self.room = room
        self.topic = topic
        self.listeners: set[LiveSocket] = set()
        self._interested: set[LiveSocket] = set()
        self._waiting: set[LiveSocket] = set()
        self.sequence = 0
        self.lock = asyncio.Lock()
        self._make_feed = feed
        self._feed: Feed | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._full: tuple[int, bytes] | None = None

    async def join(self, client: LiveSocket) -> None:
        """Add a listener, start the feed with the first, and send a full frame."""
        self._interested.add(client)
        if self._feed is None:
            self._full = None
            self.sequence += 1
            self._feed = self._make_feed(self.room, self)
            self._task = asyncio.create_task(self._feed.run())
        async with self.lock:
            feed = self._feed
            if feed is None or client not in self._interested:
                return
            try:
                self._let_in(client, await self._full_frame(feed))
            except Exception as error:
                # one topic's trouble must not end the connection, which is the other topics' too
                self._waiting |= {client} & self._interested
                client.send(self.room.broadcast.trouble(feed.explain(error), self.topic))

    async def welcome(self, feed: Feed, *, everybody: bool = False) -> None:
        """Send a full frame to those who could have none when they came. Hold ``lock``."""
        if everybody:
            self._waiting |= self.listeners
        if self._waiting:
            frame = await self._full_frame(feed)
            for client in list(self._waiting):
                self._let_in(client, frame)

    def _let_in(self, client: LiveSocket, frame: bytes | None) -> None:
        self._waiting.discard(client)
        if client in self._interested:
            self.listeners.add(client)
            if frame is not None:
                client.send(frame)

    async def _full_frame(self, feed: Feed) -> bytes | None:
        """The full frame of now; the same bytes for everybody until the next delta."""
        if self._full is None or self._full[0] != self.sequence:
            data = await feed.full()
            if data is None or feed is not self._feed:
                # its last listener left meanwhile: for the next feed this would be no beginning
                return None
            self._full = (self.sequence, self._frame("full", data))
        return self._full[1]

    def leave(self, client: LiveSocket) -> None:
        """Remove a listener; the feed ends with the last."""
        for clients in (self._interested, self._waiting, self.listeners):
            clients.discard(client)
        if not self._interested and self._task is not None:
            self._task.cancel()
            ending = asyncio.create_task(_end(self._task))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            self._task = self._feed = None

    def stir(self) -> None:
        """Look soon: something of this topic was changed through this server."""
        if self._feed is not None:
            self._feed.stir()

    async def stop(self) -> None:
        """Wait for the feeds that are ending."""
        await asyncio.gather(*self._ending)

    def publish(self, kind: Literal["full", "delta"], data: bytes) -> None:
        """Send ``data`` (JSON) to every listener, serialised once, under the next number."""
        self.sequence += 1
        frame = self._frame(kind, data)
        self._full = (self.sequence, frame) if kind == "full" else None
        self.tell(frame)

    def tell(self, frame: bytes) -> None:
        """Send a frame without a number to every listener."""
        for client in list(self.listeners):
            client.send(frame)

    def _frame(self, kind: Literal["full", "delta"], data: bytes) -> bytes:
        return b'{"type":"%b","topic":"%b","seq":%d,"data":%b}' % (
            kind.encode(), self.topic.encode(), self.sequence, data,
        )  # fmt: skip


async def _end(task: asyncio.Task[None]) -> None:
    with suppress(asyncio.CancelledError):
        await task
