"""What the hub says of a person now: her groups, and what her running session was started with."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from jupyterhub.services.auth import HubAuth
from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest

from jupyter_mlinfn.hub.broker.allowance import Allowance, allowance
from jupyter_mlinfn.hub.broker.persons import Person
from jupyter_mlinfn.hub.broker.settings import BrokerSettings
from jupyter_mlinfn.hub.watching import WatchedBook
from jupyter_mlinfn.model.errors import Refused, Unavailable

REMEMBER: Final = 10.0
"""Seconds for which looking relies on the hub's last word; making and changing never does."""
_MOST: Final = 4096
_PATIENCE: Final = 10.0

Model = Mapping[str, Any]
Ask = Callable[[str], Awaitable[Model | None]]
"""The hub's model of a user; ``None``: there is none. Raises :class:`Unavailable`."""


class Standing:
    """Makes allowances: the offer is that of the file as it is now."""

    def __init__(self, settings: BrokerSettings, book: WatchedBook, ask: Ask) -> None:
        self._settings = settings
        self._book = book
        self._ask = ask
        self._known: OrderedDict[Person, tuple[float, Model]] = OrderedDict()

    async def of(self, who: Person, *, now: bool) -> Allowance:
        """What this session may ask for. ``now``: the hub is asked, whatever it said before.

        Raises :class:`Refused`, :class:`InputError` where the offer has changed so that nothing is
        left of the session's choice, :class:`Unavailable`.
        """
        model = await self._model(who, now)
        session = (model.get("servers") or {}).get(who.server)
        if model.get("name") != who.user or not session or session.get("stopped"):
            raise Refused("This session has ended.", code="no-session")
        groups = frozenset(str(one).removeprefix("/") for one in model.get("groups") or ())
        options = session.get("user_options")
        book = await asyncio.to_thread(self._book.book)
        told = self._settings.broker
        return allowance(
            book, who, groups, options if isinstance(options, Mapping) else {}, self._settings.site,
            accelerators=told.accelerators, priorities=told.priorities,
        )  # fmt: skip

    async def _model(self, who: Person, now: bool) -> Model:
        known = self._known.get(who)
        if known and not now and time.monotonic() - known[0] < REMEMBER:
            return known[1]
        model = await self._ask(who.user) or {}
        self._known[who] = (time.monotonic(), model)
        self._known.move_to_end(who)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return model


def of_the_hub() -> Ask:
    """Asks the hub that the environment names, as the service that it started."""
    hub = HubAuth()

    async def ask(user: str) -> Model | None:
        request = HTTPRequest(
            f"{hub.api_url.rstrip('/')}/users/{quote(user, safe='')}",
            headers={"Authorization": f"token {hub.api_token}"},
            connect_timeout=_PATIENCE,
            request_timeout=_PATIENCE,
            follow_redirects=False,
            ca_certs=hub.client_ca or None,
            client_cert=hub.certfile or None,
            client_key=hub.keyfile or None,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request, raise_error=False)
            told = json.loads(answer.body) if answer.code == 200 else None
        except (HTTPError, OSError, ValueError) as error:
            raise _silent() from error
        if answer.code not in (200, 404) or not isinstance(told, dict | None):
            raise _silent()
        return told

    return ask


def _silent() -> Unavailable:
    return Unavailable("The hub does not answer for now.", code="hub-silent")
