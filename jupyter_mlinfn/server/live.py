"""The one WebSocket. What is sent to it is made in ``broadcast.py`` and ``feeds.py``.

It is no activity of the person as Jupyter counts it, but a proxy in front counts every frame:
so it is closed when nobody has used the page for a while (``Mlinfn.live_idle_minutes``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_mlinfn.server.table import LIVE_ACTION, LIVE_RESOURCE, TOPIC_RESOURCES

if TYPE_CHECKING:
    from asyncio import Future

    from tornado.websocket import WebSocketProtocol

    from jupyter_mlinfn.server.messages import Topic
    from jupyter_mlinfn.server.room import Room

MAX_MESSAGE = 64 * 1024
PING_MILLISECONDS = 30_000
MAX_BUFFER = 256 * 1024
"""Bytes a client may leave unread before it is dropped (close code 4002)."""


class LiveSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):  # type: ignore[misc]
    """One page of one person. The order of the bases matters: the origin check comes first."""

    active_at: float = 0.0

    @property
    def room(self) -> Room:
        """What all handlers of this server share."""
        return cast("Room", self.settings["mlinfn_room"])

    @property
    def max_message_size(self) -> int:
        """Clients have little to say."""
        return MAX_MESSAGE

    @property
    def ping_interval(self) -> float:
        """Seconds between tornado's own pings, from Jupyter's setting in milliseconds.

        Jupyter's class pings by itself and names its milliseconds as tornado names its seconds.
        """
        return float(self.settings.get("ws_ping_interval", PING_MILLISECONDS)) / 1000

    @property
    def ping_timeout(self) -> float:
        """A page that does not answer a ping until the next one is gone."""
        return self.ping_interval

    def skip_check_origin(self) -> bool:
        """A foreign page is refused even with a token, unless ``allow_origin`` lets it in."""
        return False

    @ws_authenticated  # type: ignore[untyped-decorator]
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Ask the authorizer, which Jupyter does not do for sockets, then open."""
        if not await self.may(LIVE_ACTION, LIVE_RESOURCE):
            raise web.HTTPError(403)
        await self.room.warm_live()
        await super().get(*args, **kwargs)

    async def may(self, action: str, resource: str) -> bool:
        """Whether the authorizer lets this person do ``action`` on ``resource``."""
        answer = self.authorizer.is_authorized(self, self.current_user, action, resource)
        return bool(await ensure_async(answer))

    async def open(self, *args: str, **kwargs: str) -> None:
        """Join the live clients."""
        self.set_nodelay(True)
        await self.room.broadcast.attach(self)

    async def on_message(self, message: str | bytes) -> None:
        """One message of the page; what cannot be read is answered, not obeyed."""
        from jupyter_mlinfn.model.errors import InputError
        from jupyter_mlinfn.server import messages
        from jupyter_mlinfn.server.reading import read_message

        broadcast = self.room.broadcast
        try:
            said = read_message(message)
        except InputError as error:
            self.send(broadcast.trouble(error))
            return
        if isinstance(said, messages.Subscribe):
            await self._subscribe(said.topic)
        elif isinstance(said, messages.Unsubscribe):
            await broadcast.unsubscribe(self, said.topic)
        elif isinstance(said, messages.Active):
            broadcast.used(self)
        else:
            broadcast.saving.answered(self, said)

    async def _subscribe(self, topic: Topic) -> None:
        if await self.may(LIVE_ACTION, TOPIC_RESOURCES[topic]):
            await self.room.broadcast.subscribe(self, topic)
        else:
            from jupyter_mlinfn.model.errors import Refused

            error = Refused("You have no right to see this.", code="not-allowed")
            self.send(self.room.broadcast.trouble(error, topic))

    def send(self, frame: bytes) -> None:
        """Send one text frame; a client that does not read is dropped instead of waited for."""
        connection = self.ws_connection
        if connection is None or connection.is_closing():
            return
        if _unread(connection) > MAX_BUFFER:
            self.log.info("A live client does not read; its connection is closed.")
            self.close(4002, "too slow")
            self.on_close()
            return
        try:
            self.write_message(frame).add_done_callback(_heard)
        except WebSocketClosedError:
            self.on_close()

    def on_close(self) -> None:
        """Leave the live clients."""
        self.room.broadcast.detach(self)


def _unread(connection: WebSocketProtocol) -> int:
    """Bytes that wait in memory because the client has not taken them."""
    stream = connection.stream
    return 0 if stream is None else len(stream._write_buffer)


def _heard(sent: Future[None]) -> None:
    """Take note that the connection went away while writing; ``on_close`` does the rest."""
    if not sent.cancelled():
        sent.exception()
