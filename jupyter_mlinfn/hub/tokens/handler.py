"""``POST /hub/api/mlinfn/token``: a short-lived access token for the session that asks.

In the hub's own process, because the refresh token and the client's secret lie there. It knows who
asks by the session's hub token, which carries :data:`SCOPE`; a person's other tokens and her
cookies are refused, and there is no way to name somebody else.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.user import User

from jupyter_mlinfn.hub.tokens.documents import SessionToken, read_request
from jupyter_mlinfn.hub.tokens.minting import Mint
from jupyter_mlinfn.hub.tokens.rate import Rate
from jupyter_mlinfn.model.errors import MlinfnError, Refused

ROUTE = r"/api/mlinfn/token"
SCOPE = "custom:mlinfn:token"
"""The right to a token of the login service; a session's hub token has it, with ``!user``."""

_NO_TOKEN = "Show the hub token of your session, in the header Authorization."  # noqa: S105
_NOT_A_SESSION = "Only a session gets a token, with the hub token that it was started with."


class NoToken(Refused):
    """Nobody is known by what the request shows."""

    status = 401
    default_code = "no-token"


class TooMany(Refused):
    """Asked too often; ``wait`` seconds."""

    status = 429
    default_code = "too-many"

    def __init__(self, wait: int) -> None:
        super().__init__(f"You asked for many tokens. Ask again in {wait} s; keep what you got.")
        self.wait = wait


class TokenHandler(APIHandler):  # type: ignore[misc]  # jupyterhub is untyped to us
    """One verb: POST, for it is not for links, and no answer is kept anywhere."""

    def initialize(self, mint: Mint, rate: Rate) -> None:
        """``mint`` makes the tokens, ``rate`` says how often."""
        self._mint, self._rate = mint, rate

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        """Nothing: the mint looks whether she may stay, and says what is in the way."""
        return user

    async def post(self) -> None:
        """Answer with a :class:`SessionToken`, or with what is in the way."""
        try:
            told = await self._answer()
        except MlinfnError as error:
            self._refuse(error)
            return
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(told.model_dump_json())

    async def _answer(self) -> SessionToken:
        user = self._session_owner()
        wait = self._rate.wait(user.name, time.monotonic())
        if wait:
            raise TooMany(wait)
        authenticator = self.authenticator
        usual = authenticator.session_scopes or [
            scope for scope in authenticator.scope if scope != "offline_access"
        ]
        asked = read_request(self.request.body, authenticator.session_audiences, usual)
        return await self._mint.token(user, self, asked, usual)

    def _session_owner(self) -> Any:
        """Whose session asks. Raises :class:`NoToken`, :class:`Refused`."""
        shown = self.get_token()
        if self.current_user is None or shown is None:
            raise NoToken(_NO_TOKEN)
        if not isinstance(self.current_user, User):
            raise Refused(_NOT_A_SESSION, code="not-a-session")
        # not by "inherit": a token that a person made for a script of hers is no session's
        given = f"{SCOPE}!user" in shown.scopes
        if not given or f"{SCOPE}!user={self.current_user.name}" not in self.expanded_scopes:
            raise Refused(_NOT_A_SESSION, code="not-a-session")
        return self.current_user

    def _refuse(self, error: MlinfnError) -> None:
        """The error as a problem document (RFC 9457)."""
        self.set_status(error.status)
        if isinstance(error, TooMany):
            self.set_header("Retry-After", str(error.wait))
        self.set_header("Content-Type", "application/problem+json")
        self.set_header("Cache-Control", "no-store")
        problem = {
            "type": f"urn:mlinfn:problem:{error.code}",
            "title": HTTPStatus(error.status).phrase,
            "status": error.status,
            "detail": error.text,
            "code": error.code,
            "problems": [one.model_dump() for one in error.problems],
        }
        self.finish(json.dumps(problem))
