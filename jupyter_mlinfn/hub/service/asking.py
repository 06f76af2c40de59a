"""Who asks the service: a token is shown to the hub, and only the hub's answer counts."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from jupyterhub.services.auth import HubAuth
from tornado.web import HTTPError

from jupyter_mlinfn.hub.reclaim.watch import Key
from jupyter_mlinfn.model.errors import Refused, Unavailable

REMEMBER: Final = 30.0
"""Seconds for which the hub's answer is remembered; so long a revoked token goes on."""
_LARGEST: Final = 4096
_HEADER: Final = re.compile(r"(?:token|bearer) ([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)

Model = Mapping[str, Any]


class NoToken(Exception):
    """No token, or one the hub does not know."""


def token_in(header: str) -> str:
    """The token of an ``Authorization`` header. Raises :class:`NoToken`."""
    found = _HEADER.fullmatch(header)
    if found is None:
        raise NoToken
    return found.group(1)


def session_of(model: Model) -> Key:
    """The one session whose own token this is. Raises :class:`Refused` (``not-a-session``).

    A session's token has the right to reach exactly one server. Others of the same person, which
    reach all of hers, and those for a server that was shared with her, are none.
    """
    name = model.get("name")
    mine = f"access:servers!server={name}/"
    reach = [one for one in model.get("scopes") or () if one.startswith("access:servers")]
    if model.get("kind") != "user" or len(reach) != 1 or not reach[0].startswith(mine):
        raise Refused("This is not a session's own token.", code="not-a-session")
    return str(name), reach[0].removeprefix(mine)


def must_be_service(model: Model, name: str) -> None:
    """Raises :class:`Refused` (``not-allowed``) unless this is the token of that service."""
    if (model.get("kind"), model.get("name")) != ("service", name):
        raise Refused("This is for another service of the hub.", code="not-allowed")


class Asking:
    """Shows tokens to the hub. ``ask`` gives the hub's answer, ``None`` for a token it does not
    know, and raises tornado's HTTPError when the hub is silent."""

    def __init__(self, ask: Callable[[str], Awaitable[Model | None]]) -> None:
        self._ask = ask
        self._known: OrderedDict[str, tuple[float, Model]] = OrderedDict()

    async def who(self, header: str) -> Model:
        """The hub's answer. Raises :class:`NoToken` and :class:`Unavailable` (``hub-silent``)."""
        token = token_in(header)
        key = hashlib.sha256(token.encode()).hexdigest()
        now = time.monotonic()
        known = self._known.get(key)
        if known and now - known[0] < REMEMBER:
            return known[1]
        try:
            model = await self._ask(token)
        except HTTPError as error:
            raise Unavailable("The hub does not answer for now.", code="hub-silent") from error
        if model is None:
            self._known.pop(key, None)
            raise NoToken
        self._known[key] = (now, model)
        self._known.move_to_end(key)
        while len(self._known) > _LARGEST:
            self._known.popitem(last=False)
        return model


def of_the_hub() -> Asking:
    """Asks the hub that the environment names."""
    hub = HubAuth()

    async def ask(token: str) -> Model | None:
        answer: Model | None = await hub.user_for_token(token, use_cache=False, sync=False)
        return answer

    return Asking(ask)
