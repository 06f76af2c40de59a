"""INDIGO IAM as a hub sees it: the certified OpenID provider with IAM's routes and claims.

People log in with their name alone. What IAM's administrators do, and what a broken or hostile
provider would do, is behind a side door: :meth:`Iam.person`, :meth:`Iam.remove`, :meth:`Iam.mood`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import requests

from tests.parts import took_part
from tests.systems.daemons import Daemons, Missing, free_ports, started

CHECKOUT = Path(__file__).parent.parent.parent.parent
PROGRAM = Path(__file__).parent / "provider.mjs"
PACKAGE = CHECKOUT / "node_modules" / "oidc-provider"
PART = "OpenID provider"
CLIENTS = {"iam": "hub-iam", "wlcg": "hub-wlcg"}

Forgery = Literal[
    "alg-none", "unsigned", "shared-secret", "changed", "other-key", "unknown-key", "expired",
    "future", "no-end", "audience", "two-audiences", "issuer", "subject", "rubbish", "missing",
]  # fmt: skip


class Iam(Daemons):
    """``redirects`` are the addresses of hubs that people are sent back to.

    ``issuer`` ends with a slash, as that of IAM does; ``secret`` is the clients' (``CLIENTS``: one
    for each claim profile). ``readers`` are audiences that read their tokens themselves: signed
    documents, as all access tokens of IAM are; others have to ask the provider.
    """

    not_yet = (OSError, requests.RequestException)

    def __init__(
        self, redirects: Sequence[str], host: str = "127.0.0.1", readers: Sequence[str] = ()
    ) -> None:
        super().__init__("iam")
        (self.port,) = free_ports(1)
        self.host = host
        self.issuer = f"http://{host}:{self.port}/"
        self.secret = secrets.token_hex(24)
        self.redirects = list(redirects)
        self.readers = list(readers)

    def start(self) -> None:
        """Bring it up. Raises :class:`Missing`."""
        node = shutil.which("node")
        if node is None or not PACKAGE.is_dir():
            raise Missing("oidc-provider is not installed (it needs Node)")
        told = {
            "host": self.host, "port": self.port, "issuer": self.issuer,
            "secret": self.secret, "redirects": self.redirects,
            "readers": self.readers,
        }  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "NODE_ENV": "test"}
        self.spawn("provider", (node, str(PROGRAM), json.dumps(told)), environment)
        self.until(self._answers, "the OpenID provider")
        version = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["version"]
        took_part(PART, f"oidc-provider {version} as INDIGO IAM")

    def _answers(self) -> bool:
        address = f"{self.issuer}.well-known/openid-configuration"
        return requests.get(address, timeout=30).status_code == 200

    def side(self, door: str, told: Any) -> list[dict[str, Any]]:
        """Tell the side door something; answered with what was asked of it so far."""
        answer = requests.post(f"{self.issuer}side/{door}", json=told, timeout=30)
        assert answer.status_code == 200, answer.text
        asked: list[dict[str, Any]] = answer.json()
        return asked

    def person(
        self, login: str, *groups: str, username: str | None = None, sub: str | None = None
    ) -> str:
        """Make a person, or change one: her groups are these from now on. Returns her subject."""
        sub = sub or str(uuid.uuid5(uuid.NAMESPACE_DNS, login))
        told = {"login": login, "sub": sub, "name": f"{login.title()} of the tests"}
        name = login if username is None else username
        self.side("people", told | {"username": name, "groups": list(groups)})
        return sub

    def remove(self, login: str) -> None:
        """There is no such person any more."""
        self.side("remove", {"login": login})

    def mood(self, **told: Any) -> None:
        """``silent``: answer 503 (``keyless``: only for keys); ``forgery``: a :data:`Forgery`."""
        self.side("mood", told)

    def forget(self, kind: str) -> None:
        """All of ``AccessToken``, ``RefreshToken`` or ``Session`` is void from now on."""
        self.side("forget", {"kind": kind})

    def grants(self, grant: str) -> list[int]:
        """The answers to all token requests with that grant type."""
        return [one["status"] for one in self.side("asked", None) if one.get("grant") == grant]

    def log_in(self, browser: requests.Session, address: str, login: str) -> requests.Response:
        """Follow ``address`` (a hub's page) to the login and back; the page where that ends."""
        page = browser.get(address, timeout=120)
        if page.url.startswith(f"{self.issuer}interaction/"):
            assert re.search(r'name="login"', page.text), page.text
            page = browser.post(page.url, data={"login": login}, timeout=120)
        return page


def start(redirects: Sequence[str], host: str = "127.0.0.1", readers: Sequence[str] = ()) -> Iam:
    """A provider that answers. Raises :class:`Missing`."""
    return started(Iam(redirects, host, readers), PART)
