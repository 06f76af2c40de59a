"""The session's token of the login service, asked of the hub (docs/hub-services.md, section 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, PartMissing, Refused, Unavailable

PATIENCE: Final = 20.0
_LARGEST: Final = 2**18
_CONFLICTS: Final = ("sign-in-again", "no-login")


def token_for(area: Area, environ: Mapping[str, str]) -> str:
    """A short-lived token of hers for the store of ``area``.

    Raises :class:`PartMissing` (``no-hub``, ``no-tokens``) where there are none, :class:`Refused`
    and :class:`Conflict` with the hub's reason, :class:`Unavailable` while the hub is silent.
    """
    url, proof = environ.get("JUPYTERHUB_API_URL", ""), environ.get("JUPYTERHUB_API_TOKEN", "")
    if not url.startswith(("http://", "https://")) or not proof:
        raise PartMissing(
            f"Keys to {area.bucket} come by way of a hub, and this program runs without one. "
            "Look at it from a session of your hub.",
            code="no-hub",
        )
    asked = {"audience": area.store.audience} if area.store and area.store.audience else {}
    request = Request(  # noqa: S310 - the scheme is looked at above
        f"{url.rstrip('/')}/mlinfn/token",
        data=json.dumps(asked).encode(),
        headers={"Authorization": f"token {proof}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        with _opener().open(request, timeout=PATIENCE) as answer:
            return _token(answer)
    except HTTPError as error:
        raise _refused(area, error) from None
    except (URLError, HTTPException, OSError, ValueError):
        raise Unavailable(
            f"The hub does not answer, so there are no keys to {area.bucket} for now. Nothing was "
            "changed. Try again in a minute.",
            code="hub-silent",
        ) from None


class _StayHere(HTTPRedirectHandler):
    """The session's hub token goes to that address alone."""

    def redirect_request(self, *_about: Any) -> None:
        return None


def _opener() -> OpenerDirector:
    return build_opener(ProxyHandler({}), _StayHere())


def _token(answer: IO[bytes]) -> str:
    told = json.loads(answer.read(_LARGEST))
    token = told.get("access_token") if isinstance(told, dict) else None
    if not isinstance(token, str) or not token:
        raise ValueError("no token")
    return token


def _refused(area: Area, error: HTTPError) -> MlinfnError:
    """The hub's reason as ours. An answer that is no problem document is another program's."""
    code, detail = "", ""
    try:
        told = json.loads(error.read(_LARGEST))
        code, detail = str(told.get("code", "")), str(told.get("detail", ""))[:500]
    except (ValueError, OSError, AttributeError, HTTPException):
        code = ""
    if error.code == 404 or (error.code == 403 and not code):
        return PartMissing(
            f"There are no keys to {area.bucket}: the login of this hub gives no tokens. They come "
            "with a login by INDIGO IAM. Your other areas are as always.",
            code="no-tokens",
        )
    if code in _CONFLICTS:
        return Conflict(detail, code=code)
    if error.code in (400, 401, 403) and detail:
        return Refused(
            f"The hub gives no token for {area.bucket}: {detail} Tell your admin.",
            code=f"hub-{code}",
        )
    return Unavailable(
        f"The hub gives no token for {area.bucket} now{f': {detail}' if detail else '.'} "
        "Try again in a minute.",
        code="hub-silent",
    )
