"""This server's session on a hub: what the hub's service says of it (docs/hub-services.md).

The service is asked at most once a minute, and only while a page looks; the session's own hub
token goes to that address alone. Without a hub nothing is asked and nothing is shown.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError
from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest, HTTPResponse

from jupyter_mlinfn.model.errors import Conflict, NotFound, Unavailable
from jupyter_mlinfn.model.sessions import HubSession, SessionView

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call

ASK_EVERY: Final = 60.0
PATIENCE: Final = 10.0
_ADDRESS: Final = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
_SILENT: Final = (
    "The hub does not answer. What it said last is shown; what it does to idle sessions goes on."
)


class KeepRequest(BaseModel):
    """There is nothing to say: ``{}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Problem(BaseModel):
    """What is read of a problem document."""

    detail: str = "It could not be kept."


class HubSessionDesk:
    """Asks the service for this server. Everything here runs on the event loop."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("MLINFN_HUB_SERVICE", "")
        self._token = environment.get("JUPYTERHUB_API_TOKEN", "")
        there = self._token and _ADDRESS.fullmatch(address)
        self._address = f"{address.rstrip('/')}/api/v1/session" if there else ""
        self._asked = float("-inf")
        self._lock = asyncio.Lock()
        self.latest = SessionView()

    @property
    def there(self) -> bool:
        """Whether this server runs on a hub with our service."""
        return bool(self._address)

    async def look(self) -> SessionView:
        """What the service says, at most a minute old."""
        async with self._lock:
            if self.there and monotonic() - self._asked >= ASK_EVERY:
                await self._ask()
            return self.latest

    async def keep(self) -> SessionView:
        """Keep the accelerators a while longer.

        Raises :class:`NotFound` without a hub, :class:`Conflict` with the service's reason, and
        :class:`Unavailable`.
        """
        if not self.there:
            raise NotFound("This server does not run on a hub.", code="no-hub")
        async with self._lock:
            answer = await self._fetch("/keep", method="POST", body="{}")
            if answer is not None and answer.code == 409:
                self._asked = float("-inf")
                raise Conflict(_detail(answer), code="not-kept")
            session = _session(answer)
            if session is None:
                raise Unavailable(
                    "The hub does not answer, so nothing was kept. Try again.", code="hub-silent"
                )
            self._asked, self.latest = monotonic(), SessionView(session=session)
            return self.latest

    async def _ask(self) -> None:
        session = _session(await self._fetch(""))
        self._asked = monotonic()
        if session is not None:
            self.latest = SessionView(session=session)
        else:
            self.latest = self.latest.model_copy(update={"trouble": _SILENT})

    async def _fetch(self, path: str, **options: Any) -> HTTPResponse | None:
        """The answer, whatever it is; ``None``: there is none."""
        request = HTTPRequest(
            self._address + path,
            headers={
                "Authorization": f"token {self._token}",
                "Content-Type": "application/json",
            },
            follow_redirects=False,  # the token goes to this address alone
            request_timeout=PATIENCE,
            connect_timeout=PATIENCE,
            **options,
        )
        try:
            return await AsyncHTTPClient().fetch(request, raise_error=False)
        except (OSError, HTTPError):  # no connection, or none in time
            return None


def _session(answer: HTTPResponse | None) -> HubSession | None:
    if answer is None or answer.code != 200:
        return None
    try:
        return HubSession.model_validate_json(answer.body)
    except ValidationError:
        return None


def _detail(answer: HTTPResponse) -> str:
    try:
        return _Problem.model_validate_json(answer.body).detail
    except ValidationError:
        return _Problem().detail


async def view(call: Call) -> SessionView:
    """``GET session``."""
    return await call.room.session.look()


async def keep(call: Call) -> SessionView:
    """``POST session/keep``."""
    return await call.room.session.keep()
