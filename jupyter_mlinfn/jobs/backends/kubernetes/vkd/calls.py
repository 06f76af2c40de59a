"""The five endpoints of vkd: who asks, deadlines, and what a refusal means.

As vkd's own client does, what is asked for travels as JSON in the body, of GET and DELETE too. No
address is followed that an answer names, and no proxy of the environment is used: a token goes to
the address of the settings alone, in a header.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jupyter_mlinfn.jobs.backends.protocol import VkdSettings
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.process.redaction import redact

DEFAULT: Final = "http://localhost:8000/api/v1"
"""Where vkd's own client asks when nobody says (``vkd_client/configuration.py``)."""

_ANSWERS_WITHIN: Final = 15.0
_TELLS_WITHIN: Final = 3.0
_LARGEST: Final = 64 * 2**20
_PIECE: Final = 2**16
_REFUSALS: Final = frozenset({400, 409, 413, 422})
_PATH: Final = re.compile(r"(/[A-Za-z0-9@%~_.-]+)*/?", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]{1,4096}", re.ASCII)


class Gone(MlinfnError):
    """There is no such thing."""


@dataclass(frozen=True)
class Address:
    """Where vkd listens. ``path`` begins with a slash and ends without one."""

    secure: bool
    host: str
    port: int | None
    path: str

    @property
    def text(self) -> str:
        """As people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"http{'s' if self.secure else ''}://{host}{port}{self.path}"


def address(settings: VkdSettings) -> Address:
    """The setting's, that of ``VKD_API_URL``, the client's own. Raises ValueError with what is
    wrong with it."""
    told = settings.url or os.environ.get("VKD_API_URL") or DEFAULT
    parts = urlsplit(told)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("it does not begin with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a name or a password: a token goes into a file (token_file)")
    if parts.query or parts.fragment or not _PATH.fullmatch(parts.path) or ".." in parts.path:
        raise ValueError("its path is none of a service")
    secure = parts.scheme == "https"
    if not secure and not _is_here(host) and not settings.plain_http:
        raise ValueError("http is for this machine only: use https (or plain_http)")
    return Address(secure, host, parts.port, parts.path.rstrip("/"))


class Calls:
    """One vkd. All raise :class:`Unavailable` when it does not answer, or nothing readable."""

    def __init__(self, settings: VkdSettings) -> None:
        self._settings = settings

    def missing(self) -> str:
        """Why nobody can be asked; empty when somebody can."""
        try:
            address(self._settings)
        except ValueError as error:
            return f"The address of vkd (setting kubernetes_vkd, or VKD_API_URL) is wrong: {error}."
        return ""

    @property
    def place(self) -> str:
        """Its address. Raises :class:`Unavailable` where that is none."""
        return self._address().text

    def jobs(self) -> Any:
        """All jobs that it tells of, those of others too."""
        return self._ask("GET", "jobs")

    def create(self, asked: Mapping[str, Any]) -> Any:
        """Make a job; what it answered. Raises :class:`Refused` when it is never taken."""
        return self._ask("POST", "bunshinjobs", [asked])

    def delete(self, name: str) -> None:
        """Remove a job; harmless when it is gone."""
        try:
            self._ask("DELETE", "jobs", [{"name": name}])
        except Gone:
            return

    def logs(self, name: str, container: str) -> Any:
        """What its pods said, by pod."""
        asked = {"job_name": name, "container": container}
        return self._ask("GET", "logs", asked, within=_TELLS_WITHIN)

    def queues(self) -> Any:
        """The cluster queues. They are read and never written."""
        return self._ask("GET", "clusterqueues", within=_TELLS_WITHIN)

    # --- inside ---------------------------------------------------------------------------------

    def _address(self) -> Address:
        try:
            return address(self._settings)
        except ValueError as error:
            raise Unavailable(self.missing(), code="vkd-address") from error

    def _ask(self, method: str, resource: str, asked: Any = None, within: float = 0.0) -> Any:
        there, headers = self._address(), self._headers()
        until = time.monotonic() + (within or _ANSWERS_WITHIN)
        kind = http.client.HTTPSConnection if there.secure else http.client.HTTPConnection
        connection = kind(there.host, there.port, timeout=within or _ANSWERS_WITHIN)
        body = None if asked is None else json.dumps(asked).encode()
        try:
            connection.request(method, f"{there.path}/{resource}", body, headers)
            answer = connection.getresponse()
            said = _whole(answer.read1, until)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise silent(type(error).__name__) from error
        finally:
            connection.close()
        return _read(answer.status, said)

    def _headers(self) -> dict[str, str]:
        """The token is read for every call: it may be renewed meanwhile."""
        told = {"Accept": "application/json"}
        if self._settings.token_file:
            try:
                token = Path(self._settings.token_file).expanduser().read_text("ascii").strip()
            except (OSError, ValueError) as error:
                raise Unavailable(_EMPTY, code="vkd-login") from error
            if not _TOKEN.fullmatch(token):
                raise Unavailable(_EMPTY, code="vkd-login")
            told["Authorization"] = f"token {token}"
        return told


_EMPTY: Final = "The file with the token for vkd (token_file of kubernetes_vkd) holds none."


def silent(why: str) -> Unavailable:
    """It does not answer, or nothing that can be read."""
    return Unavailable(f"vkd does not answer ({redact(why)[:300]}).", code="vkd-silent")


def _whole(read: Callable[[int], bytes], until: float) -> bytes:
    """The body. Raises OSError for one that does not end in time or is too large."""
    pieces, size = [], 0
    while piece := read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST or time.monotonic() > until:
            raise TimeoutError
    return b"".join(pieces)


def _read(status: int, said: bytes) -> Any:
    """The answer, or what kind of a refusal it is."""
    told: Any = None
    try:
        told = json.loads(said)
    except ValueError as error:
        if 200 <= status < 300:
            raise silent("its answer cannot be read") from error
    if 200 <= status < 300:
        return told
    words = told.get("detail", told.get("message", "")) if isinstance(told, dict) else ""
    text = redact(" ".join(str(words).split()))[:300] or f"HTTP {status}"
    if status in _REFUSALS:
        raise Refused(f"vkd does not take this: {text}", code="refused-by-system")
    if status in (404, 410):
        raise Gone(text)
    if status in (401, 403):
        raise Unavailable(f"vkd does not let you in: {text}", code="vkd-login")
    raise silent(text)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
