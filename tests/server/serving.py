"""A real Jupyter server with the extension, and what tests say to it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import psutil
from jupyter_server.auth import Authorizer
from jupyter_server.serverapp import ServerApp
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

import jupyter_mlinfn

TOKEN = "a-token-of-the-tests"
BASE = "/a%40b/"


@dataclass
class Reply:
    """An answer of any status, its JSON read."""

    status: int
    json: Any
    headers: dict[str, str]
    body: bytes


class RecordingAuthorizer(Authorizer):  # type: ignore[misc]
    """Notes what it is asked and denies what it is told to."""

    asked: ClassVar[list[tuple[str, str]]] = []
    denied: ClassVar[set[tuple[str, str]] | None] = set()

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        if resource.startswith("mlinfn"):
            type(self).asked.append((action, resource))
            denied = type(self).denied
            return denied is not None and (action, resource) not in denied
        return True


@dataclass
class Server:
    """A started server. ``root`` is the folder it shows; ``url`` ends with its base URL."""

    app: ServerApp
    root: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}"

    async def fetch(self, verb: str, path: str, **options: Any) -> Reply:
        """Any request, with the token unless ``headers`` say otherwise; no status raises."""
        headers = {"Authorization": f"token {TOKEN}", **(options.pop("headers", None) or {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        query = options.pop("query", None)
        query = options.pop("raw_query", "") or urlencode(query or {}, True)
        url = self.url + quote(path, safe="/%") + (f"?{query}" if query else "")
        request = HTTPRequest(
            url, verb, headers=headers, allow_nonstandard_methods=True,
            follow_redirects=False, request_timeout=60, **options,
        )  # fmt: skip
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        assert answer.code != 599, f"{verb} {path}: {answer.error}"
        kind = answer.headers.get("Content-Type", "")
        read = json.loads(answer.body) if "json" in kind and answer.body else None
        return Reply(answer.code, read, dict(answer.headers), answer.body or b"")

    async def ask(self, verb: str, path: str, *, body: Any = None, **options: Any) -> Reply:
        """Ask the API: ``await server.ask("POST", "jobs", body={…})``."""
        headers = {"Content-Type": "application/json", **(options.pop("headers", None) or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is None and verb == "POST":
            body = b""
        path = f"mlinfn/api/v1/{path}"
        return await self.fetch(verb, path, body=body, headers=headers, **options)

    async def page(self, **headers: str | None) -> Page:
        """Open the live socket as a page does. Raises ``HTTPClientError`` when refused."""
        sent = {"Authorization": f"token {TOKEN}", **headers}
        request = HTTPRequest(
            f"ws://127.0.0.1:{self.port}{BASE}mlinfn/live",
            headers={name: value for name, value in sent.items() if value is not None},
            request_timeout=20,
        )
        return Page(await websocket_connect(request))


def problem_of(reply: Reply) -> dict[str, Any]:
    """The problem document of an answer, checked for its shape and for what it must not say."""
    assert reply.headers["Content-Type"].startswith("application/problem+json"), reply
    document: dict[str, Any] = reply.json
    assert document["status"] == reply.status
    assert all(document[name] for name in ("code", "detail", "title"))
    assert document["type"] == f"urn:mlinfn:problem:{document['code']}"
    text = reply.body.decode()
    for inside in ("Traceback", "site-packages", os.path.dirname(jupyter_mlinfn.__file__), TOKEN):
        assert inside not in text
    return document


@dataclass
class Page:
    """A live client: what it got, and how to send."""

    socket: Any
    got: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, **message: Any) -> None:
        await self.socket.write_message(json.dumps(message))

    async def hear(self, wait: float = 20.0) -> dict[str, Any] | None:
        """The next frame, or ``None`` when the server closed."""
        text = await asyncio.wait_for(self.socket.read_message(), wait)
        if text is None:
            return None
        frame: dict[str, Any] = json.loads(text)
        self.got.append(frame)
        return frame

    async def until(
        self, wanted: Callable[[dict[str, Any]], bool], wait: float = 30.0
    ) -> dict[str, Any]:
        """The next frame that ``wanted`` accepts."""
        async with asyncio.timeout(wait):
            while True:
                frame = await self.hear(wait)
                assert frame is not None, f"closed: {self.socket.close_code} after {self.got[-3:]}"
                if wanted(frame):
                    return frame


async def login_cookie(server: Server) -> str:
    """What a browser holds after it has opened the URL with the token."""
    reply = await server.fetch(
        "GET", "api/status", headers={"Authorization": None}, query={"token": TOKEN}
    )
    assert reply.status == 200
    found = re.search(r"(username-[^=]+=[^;]+);", reply.headers["Set-Cookie"])
    assert found, reply.headers
    return found[1]


def children_since(begin: frozenset[psutil.Process]) -> list[psutil.Process]:
    """Our processes that are not among those of ``begin``, zombies counted.

    Those of earlier tests may still be zombies: nobody waits for what was abandoned. Start times
    tell nothing here: the system counts them from a moment that its clock drifts away from.
    """
    children = psutil.Process().children(recursive=True)
    return [process for process in children if process not in begin]
