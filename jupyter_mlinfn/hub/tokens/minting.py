"""Getting a session's token from the provider, with the refresh token that stays in the hub."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from jupyter_mlinfn.hub.login.iam import IamAuthenticator
from jupyter_mlinfn.hub.login.provider import ExpiredTokens
from jupyter_mlinfn.hub.login.standing import Standing, now
from jupyter_mlinfn.hub.tokens.documents import SessionToken, TokenRequest
from jupyter_mlinfn.model.errors import Conflict, Refused, Unavailable

LOOKED_AT_FOR = 60.0
"""Seconds for which it is enough to have asked whether somebody may stay."""

_AGAIN = (
    "Your login has ended, so the hub can get no token for you. Log in to the hub again; your "
    "session goes on meanwhile."
)
_NO_LOGIN = "This account did not log in at a login service, so there is no token for it."


class Mint:
    """Makes tokens, and keeps each for half of its life: asking often costs the provider little."""

    def __init__(
        self, authenticator: IamAuthenticator, clock: Callable[[], float] = time.time
    ) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._kept: dict[tuple[str, str | None, tuple[str, ...]], tuple[float, SessionToken]] = {}

    async def token(
        self, user: Any, handler: Any, asked: TokenRequest, usual: Collection[str]
    ) -> SessionToken:
        """A token for ``user``'s session; ``usual`` are the scopes where none are asked for.

        Raises :class:`Refused` for who may not come in any more, :class:`Conflict` where she has
        to log in again, :class:`Unavailable` while the provider is silent.
        """
        await self._check(user, handler)
        scopes = tuple(sorted(set(asked.scopes or usual)))
        key = (user.name, asked.audience, scopes)
        async with self._authenticator.looks.lock(user.name):
            until, kept = self._kept.get(key, (0.0, None))
            if kept is None or until <= self._clock():
                kept = await self._make(user, asked.audience, scopes)
                self._keep(key, kept)
            return kept

    async def _check(self, user: Any, handler: Any) -> None:
        looks = self._authenticator.looks
        look = looks.since(user.name, now() - LOOKED_AT_FOR)
        if look is None or look.standing is not Standing.SOUND:
            look = await self._authenticator.look_at(user, handler)
        if look.standing is Standing.SOUND:
            return
        self._kept = {key: one for key, one in self._kept.items() if key[0] != user.name}
        if look.standing is Standing.REFUSED:
            raise Refused(look.text, code="not-in-a-group")
        if look.standing is Standing.SILENT:
            raise Unavailable(look.text, code="provider-silent")
        if look.standing is Standing.NO_LOGIN:
            raise Conflict(_NO_LOGIN, code="no-login")
        raise Conflict(_AGAIN, code="sign-in-again")

    async def _make(self, user: Any, audience: str | None, scopes: tuple[str, ...]) -> SessionToken:
        auth_state = await user.get_auth_state()
        wishes = {"scope": " ".join(scopes)} | ({"audience": audience} if audience else {})
        try:
            told = await self._authenticator.renew(user, auth_state, **wishes)
        except ExpiredTokens as error:
            raise Conflict(_AGAIN, code="sign-in-again") from error
        lives = told.get("expires_in")
        ends = None
        if isinstance(lives, (int, float)) and lives > 0:
            ends = datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=lives)
        said = told.get("scope")
        return SessionToken(
            access_token=told["access_token"],
            expires_at=ends,
            scopes=tuple(said.split()) if isinstance(said, str) else scopes,
            audience=audience,
        )

    def _keep(self, key: tuple[str, str | None, tuple[str, ...]], token: SessionToken) -> None:
        begun = self._clock()
        self._kept = {one: kept for one, kept in self._kept.items() if kept[0] > begun}
        if token.expires_at is not None:
            self._kept[key] = (begun + (token.expires_at.timestamp() - begun) / 2, token)
