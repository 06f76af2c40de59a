"""HTTP to this machine only: no proxy, no redirect, nothing large."""

from __future__ import annotations

import ipaddress
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

LARGEST_ANSWER = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """A status and the JSON object that came with it (empty when there was none)."""

    status: int
    document: Mapping[str, Any]


class _Stay(HTTPRedirectHandler):
    """A redirect would carry the secret elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def is_loopback(url: str) -> bool:
    """Whether ``url`` is plain HTTP(S) to this machine, without a name and password in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return local and parts.scheme in ("http", "https") and parts.username is None


def post(
    url: str, document: Mapping[str, Any], *, headers: Mapping[str, str], timeout: float
) -> Answer | None:
    """Post JSON to a loopback ``url``; ``None`` when nobody answers within ``timeout`` seconds."""
    if not is_loopback(url):
        return None
    request = Request(  # noqa: S310 - http and https only, see above
        url,
        data=json.dumps(document).encode(),
        headers={"Content-Type": "application/json", **headers},
        method="POST",
    )
    # The certificate names the outside host; on this machine there is nobody in between.
    context = ssl._create_unverified_context()  # noqa: S323
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context), _Stay())
    try:
        with opener.open(request, timeout=timeout) as response:
            return _read(response.status, response)
    except HTTPError as error:
        return _read(error.code, error)
    except (OSError, HTTPException):
        return None


def _read(status: int, stream: IO[bytes]) -> Answer:
    try:
        document = json.loads(stream.read(LARGEST_ANSWER))
    except (OSError, HTTPException, ValueError):
        document = None
    return Answer(status, document if isinstance(document, dict) else {})
