"""The broker in a thread of the test; its hub is a table, its API server says what it is told to.

What Kubernetes itself does with what the broker sends is seen in ``test_kubernetes_broker.py``.
"""

from __future__ import annotations

import asyncio
import copy
import http.client
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from httpx2 import AsyncClient
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import HTTPError

from jupyter_mlinfn.hub.broker.application import LARGEST_SECRET, application
from jupyter_mlinfn.hub.broker.auditing import Audit
from jupyter_mlinfn.hub.broker.cluster import Cluster
from jupyter_mlinfn.hub.broker.desk import BrokerDesk
from jupyter_mlinfn.hub.broker.settings import Broker, BrokerSettings
from jupyter_mlinfn.hub.broker.standing import Standing
from jupyter_mlinfn.hub.service.asking import Asking, Model
from jupyter_mlinfn.hub.service.requests import http_server
from jupyter_mlinfn.hub.watching import WatchedBook
from jupyter_mlinfn.model.errors import Unavailable
from tests.hub.broker.offers import GROUP, OFFER, PRIORITIES, SITE
from tests.hub.service.answering import TOKENS

PREFIX = "/services/mlinfn-broker/"
JOBS = "/apis/batch/v1/namespaces/jobs-ada/jobs"
PODS = "/api/v1/namespaces/jobs-ada/pods"
SECRETS = "/api/v1/namespaces/jobs-ada/secrets"


def person(name: str, **servers: dict[str, object]) -> dict[str, Any]:
    """What the hub says of somebody whose sessions were started with these options."""
    told = {
        server.removeprefix("_"): {"name": server, "stopped": False, "user_options": options}
        for server, options in servers.items()
    }
    return {"kind": "user", "name": name, "groups": [f"/{GROUP}"], "servers": told}


class Stub(web.RequestHandler):
    """Says what stands in ``answers``; ``log`` opens a stream that the test feeds."""

    def initialize(self, here: Here) -> None:
        self.here = here

    async def _answer(self) -> None:
        body = json.loads(self.request.body) if self.request.body else None
        self.here.asked.append((str(self.request.method), str(self.request.uri), body))
        if self.request.path.endswith("/log"):
            await self._stream()
            return
        missing = (404, {"kind": "Status", "message": "not found"})
        key = (str(self.request.method), str(self.request.path))
        status, told = self.here.answers.get(key, missing)
        self.set_status(status)
        self.finish(told if isinstance(told, bytes) else json.dumps(told))

    async def _stream(self) -> None:
        while (line := await self.here.lines.get()) is not None:
            self.write(line)
            await self.flush()

    get = post = put = delete = _answer  # type: ignore[assignment]

    def on_connection_close(self) -> None:
        self.here.left.set()
        self.here.lines.put_nowait(None)


class Here:
    """A broker that answers on ``port``."""

    def __init__(self, folder: Path) -> None:
        (folder / "profiles.toml").write_text(OFFER, encoding="utf-8")
        self.people: dict[str, Any] = {
            "ada": person("ada", _={"profile": "cluster", "cpu": 1}),
            "bob": person("bob", gpu={"profile": "cluster"}),
        }
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.silent: set[str] = set()
        self.left = threading.Event()
        self.audit = folder / "broker.jsonl"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen(folder))

    def _do(self, doing: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(60)

    async def _listen(self, folder: Path) -> None:
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        beneath, api_port = bind_unused_port()
        self._api = HTTPServer(web.Application([(".*", Stub, {"here": self})]))
        self._api.add_socket(beneath)
        socket, self.port = bind_unused_port()
        broker = Broker(namespace="jobs-{user}", priorities=PRIORITIES)
        settings = BrokerSettings(
            broker=broker, site=SITE, profiles=folder / "profiles.toml", state=folder,
            address=f"http://127.0.0.1:{self.port}{PREFIX}", listen="http://127.0.0.1:1",
        )  # fmt: skip
        standing = Standing(settings, WatchedBook(settings.profiles), self._user)
        self.cluster = Cluster(
            connect=lambda: AsyncClient(base_url=f"http://127.0.0.1:{api_port}", trust_env=False)
        )
        desk = BrokerDesk(standing, self.cluster, Audit(settings.audit))
        made = application(desk, Asking(self._identify), PREFIX, broker.namespace)
        self._server = http_server(made, LARGEST_SECRET + 4096)
        self._server.add_socket(socket)

    async def _identify(self, token: str) -> Model | None:
        if "hub" in self.silent:
            raise HTTPError(500)
        return TOKENS.get(token)

    async def _user(self, name: str) -> Model | None:
        if "users" in self.silent:
            raise Unavailable("The hub does not answer for now.", code="hub-silent")
        found: Model | None = copy.deepcopy(self.people.get(name))
        return found

    def feed(self, line: bytes | None) -> None:
        """One more line of a log; ``None`` ends it."""
        self._loop.call_soon_threadsafe(self.lines.put_nowait, line)

    def end_api(self) -> None:
        """The API server is gone."""

        async def end() -> None:
            self._api.stop()
            await self._api.close_all_connections()

        self._do(end())

    def stop(self) -> None:
        """Leave nothing behind."""

        async def end() -> None:
            self._server.stop()
            await self._server.close_all_connections()
            await self.cluster.close()

        self.end_api()
        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def open(
        self, method: str, path: str, token: str, body: Any, headers: Mapping[str, str]
    ) -> http.client.HTTPConnection:
        """A request whose answer is to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = dict(headers)
        if token:
            sent["Authorization"] = f"token {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, PREFIX + path.removeprefix("/"), body=body, headers=sent)
        return connection

    def ask(
        self, method: str, path: str, token: str = "ada-session", body: Any = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and document; a name of a header with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self.open(method, path, token, body, named)
        try:
            answer = connection.getresponse()
            said = answer.read()
            assert b"Traceback" not in said
            return answer.status, json.loads(said) if said else {}
        finally:
            connection.close()

    def lines_of_audit(self) -> list[dict[str, Any]]:
        """What was noted."""
        text = self.audit.read_text(encoding="utf-8") if self.audit.exists() else ""
        return [json.loads(line) for line in text.splitlines()]
