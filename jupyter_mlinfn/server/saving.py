"""Asking the open pages to save a notebook, and hearing what came of it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jupyter_mlinfn.model.errors import Conflict
from jupyter_mlinfn.server.messages import Save, Saved

if TYPE_CHECKING:
    from jupyter_mlinfn.server.broadcast import Broadcast
    from jupyter_mlinfn.server.live import LiveSocket

PATIENCE = 5.0
"""Seconds the pages have to answer; one in a sleeping tab never does."""
NOT_OPEN = "not-open"


@dataclass
class _Ask:
    """One question: who has not answered yet, and what went wrong where it was open."""

    waiting: set[LiveSocket]
    answer: asyncio.Future[str | None]
    errors: list[str] = field(default_factory=list)

    def settle(self, path: str | None) -> None:
        if not self.answer.done():
            self.answer.set_result(path)

    def left(self, client: LiveSocket) -> None:
        self.waiting.discard(client)
        if not self.waiting:
            self.settle(None)


class Saving:
    """The questions that are open."""

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self._asks: dict[str, _Ask] = {}

    async def ask(self, *, kernel_id: str | None = None, path: str | None = None) -> str | None:
        """Have every page that holds the notebook save it; the path it saved to.

        ``None`` when no page has it open, or none answered in :data:`PATIENCE` seconds. Raises
        :class:`Conflict` (``not-saved``) when it is open and could not be saved.
        """
        clients = set(self.broadcast.clients)
        if not clients:
            return None
        request = secrets.token_hex(8)
        ask = _Ask(clients, asyncio.get_running_loop().create_future())
        self._asks[request] = ask
        frame = Save(request=request, kernel_id=kernel_id, path=path).model_dump_json().encode()
        for client in list(clients):
            client.send(frame)
        try:
            saved = await asyncio.wait_for(ask.answer, PATIENCE)
        except TimeoutError:
            saved = None
        finally:
            del self._asks[request]
        if saved is None and ask.errors:
            raise Conflict(
                f"JupyterLab could not save the notebook: {ask.errors[0]}. Nothing was submitted.",
                code="not-saved",
                field="path",
            )
        return saved

    def answered(self, client: LiveSocket, said: Saved) -> None:
        """A page answered. A late answer, or one nobody asked for, is passed over."""
        ask = self._asks.get(said.request)
        if ask is None or client not in ask.waiting:
            return
        if said.ok and said.path is not None:
            ask.settle(said.path)
            return
        if said.error != NOT_OPEN:
            ask.errors.append((said.error or "the page gave no reason").rstrip("."))
        ask.left(client)

    def gone(self, client: LiveSocket) -> None:
        """A page was closed before it answered."""
        for ask in list(self._asks.values()):
            ask.left(client)
