"""The documents of the token handler (docs/hub-services.md, section 5)."""

from __future__ import annotations

import json
from collections.abc import Collection

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.states import Frozen

LONGEST_BODY = 4096
"""Bytes of a request."""


class TokenRequest(Frozen):
    """What a session asks for; ``{}`` is the usual token.

    ``audience``: the one service that shall take the token. ``scopes``: fewer than usual.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    audience: str | None = Field(default=None, min_length=1, max_length=500)
    scopes: list[str] | None = Field(default=None, min_length=1, max_length=50)


class SessionToken(Frozen):
    """What a session gets; ``expires_at`` is unknown where the provider does not say."""

    access_token: str
    expires_at: AwareDatetime | None
    scopes: tuple[str, ...]
    audience: str | None = None


def read_request(body: bytes, audiences: Collection[str], scopes: Collection[str]) -> TokenRequest:
    """The request in ``body``, within what the hub offers.

    Raises :class:`InputError` for what is no request, :class:`Refused` for what is not offered.
    """
    if len(body) > LONGEST_BODY:
        raise InputError(f"The request is longer than {LONGEST_BODY} bytes.", code="too-long")
    try:
        asked = TokenRequest.model_validate(json.loads(body or b"{}"))
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) or "body" for one in error.errors())
        raise InputError(
            f"The request cannot be used: {fields[:200]}. It may have audience (a text) and scopes "
            "(a list of texts), and nothing else."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError("The request is no JSON document.") from error
    if asked.audience is not None and asked.audience not in audiences:
        offered = ", ".join(sorted(audiences)) or "none"
        raise Refused(
            f"This hub gives no tokens for that audience. It gives them for: {offered}.",
            code="audience",
            field="audience",
        )
    if not set(asked.scopes or ()) <= set(scopes):
        raise Refused(
            f"This hub gives tokens with no other scopes than: {', '.join(sorted(scopes))}.",
            code="scopes",
            field="scopes",
        )
    return asked
