"""Sending to a web address that a person gave, without becoming a way into the network here.

Only ``https`` to its usual port and to public addresses, unless the administrator named the host;
every address behind the name is looked at, the connection goes to the one that was looked at, and
no redirect is followed and no proxy is asked.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}", re.ASCII)
_URL = re.compile(r"[!-~]+", re.ASCII)
_AGAIN_LATER = frozenset({408, 425, 429})


class Undelivered(Exception):
    """A notice that was not taken. ``final``: trying again is no use."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


class Perhaps(Exception):
    """A notice that went out whole and of which nothing was heard: it may have been taken."""


@dataclass(frozen=True)
class HookPolicy:
    """``hosts`` (``name`` or ``name:port``): the only ones allowed; empty: every public one.
    ``private``: those may also lie in the network here, and take ``http``."""

    hosts: tuple[str, ...] = ()
    private: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> HookPolicy:
        """As it was noted beside a job."""
        return cls(tuple(map(str, told.get("hosts", ()))), bool(told.get("private")))


def refusal(url: str, policy: HookPolicy) -> str:
    """Why nothing is sent to ``url``; empty when it may be. Nobody is asked."""
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        return "This is no web address."
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or not _URL.fullmatch(url):
        return "This is no web address."
    if "@" in parts.netloc:
        return "A web address for notices holds no name and no password."
    named = _named(parts, policy)
    if policy.hosts and not named:
        return f"Notices may go to these hosts only: {', '.join(policy.hosts)}."
    if parts.scheme != "https" and not (named and policy.private):
        return "Notices go to https addresses only."
    if port not in (None, _PORTS[parts.scheme]) and not named:
        return f"Notices go to the usual port only ({_PORTS[parts.scheme]})."
    return ""


def post(
    url: str,
    body: bytes,
    policy: HookPolicy,
    delivery: str,
    goes: Callable[[], None] = lambda: None,
    *,
    timeout: float = 5.0,
) -> None:
    """Send ``body`` (JSON) to ``url``. Raises :class:`Undelivered`, and :class:`Perhaps` where no
    answer came in twice the ``timeout`` (seconds). ``goes`` is called right before the last of it
    is sent; ``delivery`` is the same each time this notice is tried."""
    if why := refusal(url, policy):
        raise Undelivered(why, final=True)
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    private = policy.private and _named(parts, policy)
    address = _address(str(parts.hostname), port, private=private)
    line = _Line(str(parts.hostname), port, address, tls=parts.scheme == "https", timeout=timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": "jupyter-mlinfn",
        "Idempotency-Key": delivery,
    }
    try:
        status = _exchanged(line, target, headers, body, goes)
    finally:
        line.close()
    if 300 <= status < 400:
        raise Undelivered("It sends elsewhere, which is not followed.", final=True)
    if not 200 <= status < 300:
        final = 400 <= status < 500 and status not in _AGAIN_LATER
        raise Undelivered(f"It answers with the status {status}.", final=final)


def _exchanged(
    line: _Line,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    goes: Callable[[], None],
) -> int:
    """The status of the answer."""
    try:
        line.putrequest("POST", target)
        for name, value in headers.items():
            line.putheader(name, value)
        line.endheaders()
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(f"It does not answer: {error or type(error).__name__}.") from error
    goes()
    try:
        line.sock.settimeout(2 * float(line.timeout or 0))
        line.send(body)
        return line.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Perhaps from error


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet, in whatever form it is hidden."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found.sixtofour is not None or found.teredo is not None or found in _NAT64:
            return False
    return found.is_global and not found.is_multicast


def _named(parts: SplitResult, policy: HookPolicy) -> bool:
    port = parts.port or _PORTS.get(parts.scheme)
    names = {f"{parts.hostname}:{port}"}
    if port == _PORTS.get(parts.scheme):
        names.add(str(parts.hostname))
    return any(host.lower() in names for host in policy.hosts)


def _address(host: str, port: int, *, private: bool) -> str:
    """The address to connect to: one look, and all that the name stands for must be allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Undelivered(f"The host {host} cannot be found.") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not private and not all(is_public(one) for one in addresses):
        raise Undelivered("It lies in a private network, where notices do not go.", final=True)
    return addresses[0]


class _Line(http.client.HTTPConnection):
    """A connection to ``address``, whatever ``host`` stands for a moment later."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._to = (address, port)
        self._tls = tls

    def connect(self) -> None:
        """Connect, and have the host prove its name."""
        self.sock = socket.create_connection(self._to, self.timeout)
        if self._tls:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
