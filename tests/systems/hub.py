"""A real JupyterHub with its real proxy, on ports and in folders of its own.

The proxy is a daemon of its own, so that a hub that is killed leaves it and the sessions alive.
Sessions are files (:mod:`tests.systems.hub_sessions`) unless ``lines`` say another spawner; people
log in by :class:`Person`, as a browser does, and programs ask with :meth:`Hub.ask`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from tests.parts import took_part
from tests.systems.daemons import Daemons, Missing, free_ports, started

CHECKOUT = Path(__file__).parent.parent.parent
PART = "JupyterHub"
SCOPES = (
    "admin:users", "admin:servers", "admin:groups", "list:users", "read:users:activity",
    "read:servers", "delete:servers", "tokens", "shutdown",
)  # fmt: skip
PATIENCE = 120.0


class Person:
    """Somebody with a browser: cookies, no script."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name, self.browser = hub, name, requests.Session()

    def page(self, path: str, **options: Any) -> requests.Response:
        """A page of the hub, such as ``spawn``."""
        return self.browser.get(f"{self.hub.url}/hub/{path}", timeout=PATIENCE, **options)

    def log_in(self, password: str = "sesame") -> requests.Response:
        """Fill in the form of the dummy and PAM logins."""
        page = self.page("login")
        fields = {"username": self.name, "password": password, "_xsrf": _token(page.text)}
        return self.browser.post(page.url, data=fields, timeout=PATIENCE, allow_redirects=False)

    def spawn(
        self,
        fields: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        server: str = "",
        follow: bool = False,
        account: str = "",
    ) -> requests.Response:
        """Send the form of the spawn page, with what its address carries; for ``account``'s
        server where that is not her own."""
        whole = "/".join(("spawn", account or self.name, server)).rstrip("/")
        path = whole if server or account else "spawn"
        page = self.page(path)
        address = f"{self.hub.url}/hub/{path}?_xsrf={_token(page.text)}"
        return self.browser.post(address, data=fields, timeout=PATIENCE, allow_redirects=follow)


def _token(page: str) -> str:
    found = re.search(r'_xsrf(?:" value="|=|: ")([^"&]+)"', page) or re.search(
        r'xsrf_token: "([^"]+)"', page
    )
    assert found, f"no form in the page: {page[:500]}"
    return found.group(1)


class Hub(Daemons):
    """``lines`` are added to ``jupyterhub_config.py`` at its end, ``environment`` to the hub's."""

    not_yet = (OSError, requests.RequestException)

    def __init__(self, *lines: str, environment: Mapping[str, str] | None = None) -> None:
        super().__init__("hub")
        self.port, self.proxy_api, self.hub_port, sessions, service = free_ports(5)
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = secrets.token_hex(16)
        self.sessions = self.work / "sessions"
        self.sessions.mkdir()
        self.config = self.work / "jupyterhub_config.py"
        self.lines = lines
        self.environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.work),
            "PYTHONPATH": str(CHECKOUT),
            "JUPYTERHUB_CRYPT_KEY": secrets.token_hex(32),
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
            "MLINFN_TEST_SESSIONS": str(self.sessions),
            "MLINFN_TEST_SESSIONS_PORT": str(sessions),
            "MLINFN_TEST_SERVICE_PORT": str(service),
        } | dict(environment or {})

    def start(self) -> None:
        """Bring up proxy, sessions and hub. Raises :class:`Missing`."""
        proxy = CHECKOUT / "node_modules" / ".bin" / "configurable-http-proxy"
        if shutil.which("node") is None or not proxy.exists():
            raise Missing("configurable-http-proxy is not installed (it needs Node)")
        addresses = (
            f"--port={self.port}", "--ip=127.0.0.1", "--api-ip=127.0.0.1",
            f"--api-port={self.proxy_api}", f"--error-target=http://127.0.0.1:{self.hub_port}/hub/error",
            f"--default-target=http://127.0.0.1:{self.hub_port}",
        )  # fmt: skip
        self.spawn("proxy", (str(proxy), *addresses), self.environment)
        sessions = self.environment["MLINFN_TEST_SESSIONS_PORT"]
        answering = (sys.executable, "-m", "tests.systems.hub_sessions", sessions)
        self.spawn("sessions", answering, self.environment)
        self.begin()
        took_part(PART, requests.get(f"{self.url}/hub/api/", timeout=PATIENCE).json()["version"])

    def begin(self) -> None:
        """Start the hub (again), over what it has, and wait until it answers."""
        self.write()
        argv = (sys.executable, "-m", "jupyterhub", "-f", str(self.config))
        self.spawn("hub", argv, self.environment)
        self.until(self.answers, "the hub", PATIENCE)

    def answers(self) -> bool:
        """Whether the hub can be asked through the proxy and knows its sessions again."""
        return self.ask("GET", "users").status_code == 200

    def write(self) -> None:
        """``jupyterhub_config.py``, with ``lines`` as they are now."""
        told = [
            "c.JupyterHub.authenticator_class = 'dummy'",
            "c.DummyAuthenticator.password = 'sesame'",
            "c.Authenticator.allow_all = True",
            "from tests.systems.hub_sessions import FolderSpawner",
            "c.JupyterHub.spawner_class = FolderSpawner",
            f"c.JupyterHub.bind_url = {self.url!r}",
            f"c.JupyterHub.hub_bind_url = 'http://127.0.0.1:{self.hub_port}'",
            f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{self.proxy_api}'",
            "c.ConfigurableHTTPProxy.should_start = False",
            "c.JupyterHub.cleanup_servers = False",
            "c.JupyterHub.allow_named_servers = True",
            f"c.JupyterHub.db_url = 'sqlite:///{self.work}/jupyterhub.sqlite'",
            f"c.JupyterHub.cookie_secret_file = '{self.work}/cookie_secret'",
            f"c.JupyterHub.services = [{{'name': 'tests', 'api_token': {self.token!r}}}]",
            "c.JupyterHub.load_roles = [{'name': 'tests', 'services': ['tests'],"
            f" 'scopes': {list(SCOPES)!r}}}]",
            *self.lines,
        ]
        self.config.write_text("\n".join(told) + "\n", encoding="utf-8")

    def ask(
        self, method: str, path: str, body: Any = None, token: str = "", stream: bool = False
    ) -> requests.Response:
        """The REST API, as the tests' service (or with another ``token``)."""
        return requests.request(
            method,
            f"{self.url}/hub/api/{path}",
            headers={"Authorization": f"token {token or self.token}"},
            data=None if body is None else json.dumps(body),
            stream=stream,
            timeout=PATIENCE,
        )

    def person(self, name: str) -> Person:
        """Somebody who has logged in."""
        person = Person(self, name)
        answer = person.log_in()
        assert answer.status_code == 302, answer.text
        return person

    def servers(self, name: str) -> dict[str, Any]:
        """A person's servers by name, as the hub tells them."""
        told = self.ask("GET", f"users/{name}").json()
        return dict(told.get("servers") or {})

    def until_ready(self, name: str, server: str = "") -> None:
        """Wait until a session answers."""
        self.until(
            lambda: bool(self.servers(name).get(server, {}).get("ready")),
            f"the session {server!r} of {name}",
            PATIENCE,
        )

    def until_gone(self, name: str, server: str = "") -> None:
        """Wait until a session has ended for the hub, too."""
        self.until(
            lambda: (
                not self.servers(name).get(server, {}).get("ready")
                and not self.servers(name).get(server, {}).get("pending")
            ),
            f"the end of the session {server!r} of {name}",
            PATIENCE,
        )

    def stop_session(self, name: str, server: str = "") -> None:
        """End a session as its owner would, and wait for that."""
        path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
        until = time.monotonic() + PATIENCE
        while self.ask("DELETE", path).status_code == 400 and time.monotonic() < until:
            time.sleep(0.2)
        self.until_gone(name, server)

    def session_files(self) -> list[dict[str, Any]]:
        """What :class:`tests.systems.hub_sessions.FolderSpawner` started and has not ended."""
        return [
            json.loads(file.read_text(encoding="utf-8")) for file in self.sessions.glob("*.json")
        ]


def start(*lines: str, environment: Mapping[str, str] | None = None) -> Hub:
    """A hub that answers. Raises :class:`Missing`."""
    return started(Hub(*lines, environment=environment), PART)
