"""Asking the provider: token requests, its keys, who a token belongs to.

On top of OAuthenticator's :class:`GenericOAuthenticator`: identity tokens are verified, the answer
of ``/userinfo`` must be about the same subject, and no text or log repeats a token.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from oauthenticator.generic import GenericOAuthenticator
from tornado.httpclient import HTTPClientError
from traitlets import Unicode

from jupyter_mlinfn.hub.login.identity_tokens import UnknownKey, verified
from jupyter_mlinfn.hub.login.standing import now
from jupyter_mlinfn.model.errors import Refused, Unavailable

KEYS_KEPT = 3600.0
"""Seconds that the provider's keys are believed to be the same."""
KEYS_ASKED_AGAIN = 60.0
"""Seconds at least between two questions for new keys: a forged token cannot make us ask more."""
PATIENCE = 10.0
"""Seconds for one answer of the provider, unless ``http_request_kwargs`` says otherwise."""

_SILENT = (
    "Your login service does not answer, so nobody can say whether you may come in. "
    "Try again in a few minutes."
)


class ExpiredTokens(Refused):
    """The provider does not take the tokens that the hub has."""

    default_code = "sign-in-again"


class Provider(GenericOAuthenticator):  # type: ignore[misc]  # untyped to us
    """The provider of one issuer, as the hub's only client of it sees it."""

    issuer = Unicode(config=True, help="The issuer, exactly as in its identity tokens.")
    keys_url = Unicode(config=True, help="Where the provider's public keys are (its JWKS).")

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._keys: dict[str, Any] | None = None
        self._keys_at = 0.0

    async def get_token_info(self, handler: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Trade the code of a login for tokens; its identity token is verified.

        Raises :class:`ExpiredTokens`, :class:`Unavailable`, :class:`Refused`.
        """
        told = await self.request_tokens(params)
        told["mlinfn_subject"] = (await self.believed(told))["sub"]
        return told

    async def request_tokens(self, params: dict[str, Any]) -> dict[str, Any]:
        """Ask ``/token``; nothing of the answer is believed yet. Raises as above."""
        told = await self._ask(
            self.token_url,
            method="POST",
            headers=self.build_token_info_request_headers(),
            body=urlencode(params).encode("utf-8"),
        )
        if not isinstance(told.get("access_token"), str) or "error" in told:
            raise ExpiredTokens("Your login service gave the hub no token. Log in again.")
        return told

    async def believed(self, told: dict[str, Any]) -> dict[str, Any]:
        """The claims of the identity token in an answer of ``/token``. Raises as above."""
        token = told.get("id_token")
        fresh = self._keys is None or now() - self._keys_at > KEYS_KEPT
        try:
            return verified(token, await self._get_keys(fresh), self.issuer, self.client_id)
        except UnknownKey:
            if now() - self._keys_at < KEYS_ASKED_AGAIN:
                raise
        # the provider may have changed its keys since
        return verified(token, await self._get_keys(True), self.issuer, self.client_id)

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Ask ``/userinfo`` whom an access token belongs to. Raises as :meth:`get_token_info`."""
        headers = self.build_userdata_request_headers(token_info["access_token"], "Bearer")
        told = await self._ask(self.userdata_url, method="GET", headers=headers)
        # OpenID Connect Core 5.3.2: or anybody's access token could be put in place of hers
        if not told.get("sub") or told["sub"] != token_info.get("mlinfn_subject", told["sub"]):
            raise Refused(
                "Your login service spoke of two different people. Log in again; if this stays, "
                "tell the people who run this hub.",
                code="two-subjects",
            )
        return told

    async def _get_keys(self, fresh: bool) -> dict[str, Any]:
        if fresh or self._keys is None:
            self._keys = await self._ask(self.keys_url, method="GET")
            self._keys_at = now()
        return self._keys

    async def _ask(self, url: str, **options: Any) -> dict[str, Any]:
        """One question with a JSON object for an answer; what went wrong as one of our errors.

        Not by OAuthenticator's ``httpfetch``: that logs the body of every refusal.
        """
        # a redirection would take secrets to whoever it names
        usual = {
            "validate_cert": self.validate_server_cert,
            "follow_redirects": False,
            "request_timeout": PATIENCE,
        }
        try:
            answer = await self.http_client.fetch(
                url, **(usual | self.http_request_kwargs | options)
            )
            told = json.loads(answer.body)
        except HTTPClientError as error:
            if error.code in (400, 401, 403):
                self.log.info("The login service refused (%s %s)", error.code, url)
                raise ExpiredTokens("Your login has ended. Log in to the hub again.") from error
            self.log.warning("The login service does not answer (%s %s)", error.code, url)
            raise Unavailable(_SILENT, code="provider-silent") from error
        except (OSError, ValueError) as error:
            self.log.warning("The login service does not answer (%s %s)", type(error).__name__, url)
            raise Unavailable(_SILENT, code="provider-silent") from error
        if not isinstance(told, dict):
            raise Unavailable(_SILENT, code="provider-silent")
        return told
