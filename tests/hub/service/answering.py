"""The hub's service in a thread of the test; its hub is a table of tokens."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tornado.testing import bind_unused_port
from tornado.web import HTTPError

from jupyter_mlinfn.hub.reclaim.journal import Journal
from jupyter_mlinfn.hub.reclaim.samples import DeviceSample, HostSample
from jupyter_mlinfn.hub.reclaim.sessions import SessionFacts
from jupyter_mlinfn.hub.reclaim.settings import ReclaimSettings
from jupyter_mlinfn.hub.reclaim.watch import Watch
from jupyter_mlinfn.hub.service.application import application
from jupyter_mlinfn.hub.service.asking import Asking, Model
from jupyter_mlinfn.hub.service.requests import http_server
from jupyter_mlinfn.model.leases import Device, Lease, PoolState
from jupyter_mlinfn.model.plans import Limits

PREFIX = "/services/mlinfn/"


def owner(name: str, *scopes: str, kind: str = "user") -> Model:
    return {"kind": kind, "name": name, "scopes": [f"users:activity!user={name}", *scopes]}


TOKENS: dict[str, Model] = {
    "ada-session": owner("ada", "access:servers!server=ada/"),
    "bob-session": owner("bob", "access:servers!server=bob/gpu"),
    "ada-personal": owner("ada", "access:servers!user=ada"),
    "ada-all": owner("ada", "access:servers!user=ada", "access:servers!server=ada/"),
    "bob-shared": owner("bob", "access:servers!server=ada/"),
    "ad": owner("ad", "access:servers!server=ada/"),
    "admin": owner("admin", "access:servers", "admin:users", "admin:servers"),
    "culler": {"kind": "service", "name": "mlinfn-culler", "scopes": ["list:users"]},
    "other": {"kind": "service", "name": "other", "scopes": ["access:servers!server=ada/"]},
}


class Service:
    """The service in a thread of this process; its hub is a table of tokens."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "decisions.jsonl"
        settings = ReclaimSettings(dry_run=False, gap=3600)
        self.watch = Watch(settings, Journal(self.journal))
        self.asked: list[str] = []
        self.silent = False
        socket, self.port = bind_unused_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

        async def listen() -> None:
            app = application(self.watch, Asking(self._identify), PREFIX)
            self._server = http_server(app)
            self._server.add_socket(socket)

        asyncio.run_coroutine_threadsafe(listen(), self._loop).result(60)

    async def _identify(self, token: str) -> Model | None:
        self.asked.append(token)
        if self.silent:
            raise HTTPError(500)
        return TOKENS.get(token)

    def stop_listening(self) -> None:
        """Nobody answers any more."""

        async def end() -> None:
            self._server.stop()
            await self._server.close_all_connections()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(60)

    def stop(self) -> None:
        """Leave nothing behind."""
        self.stop_listening()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def ask(
        self, method: str, path: str, token: str = "", body: Any = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and document."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"token {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            said = answer.read()
            assert b"Traceback" not in said
            return answer.status, json.loads(said) if said else {}
        finally:
            connection.close()

    def warn_ada(self) -> None:
        """Ada idles, is warned, and is not to be released for an hour."""
        device = Device(uuid="MIG-0", pool="mig", host="gpu7", model="A100", mig="1g.10gb")
        lease = Lease(id="l", device=device, user="ada", acquired=datetime.now(UTC))
        limits = Limits(gpu_idle=3600, warn=3600)
        facts = SessionFacts(user="ada", profile="p", started=datetime.now(UTC), limits=limits)
        now = time.monotonic()
        pools = (PoolState(pool="mig", total=7, free=6),)
        self.watch.know((lease,), pools, {("ada", ""): facts}, now)
        device_now = DeviceSample(uuid="MIG-0", state="idle", measurement="gpm")
        self.watch.saw(
            HostSample(host="h", boot="b", at=now, time=datetime.now(UTC), devices=(device_now,)),
            now,
        )
