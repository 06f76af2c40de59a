"""A proxy before the API server that a test can make ill: late, refusing, cut short, or garbled."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Final

from tests.systems.answering import Answering
from tests.systems.kubernetes.api import Api

ILLNESSES: Final = (
    "429", "500", "503", "403", "401", "sleeps", "garbage", "half", "cut", "html",
    "another object",
)  # fmt: skip
"""What may become of an answer; ``lost``: it was done, and nobody hears of it."""

_PASSED: Final = ("Authorization", "Content-Type", "Accept")


class Proxy:
    """Plain HTTP. ``ill(method, path)`` names an illness, or is empty for a true answer."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._context = ssl.create_default_context(cafile=api.ca)
        self.ill: Callable[[str, str], str] = lambda _method, _path: ""
        self.asked: list[tuple[str, str]] = []
        self._service = Answering(self.handle)
        self.close = self._service.close

    @property
    def url(self) -> str:
        """For a kubeconfig."""
        return self._service.address

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """One request."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.asked.append((request.command, request.path))
        illness = self.ill(request.command, request.path)
        if illness == "sleeps":
            time.sleep(3)
        if illness in ("sleeps", "cut"):
            request.close_connection = True
            return
        if illness.isdigit():
            self._answer(request, int(illness), b'{"kind": "Status", "message": "ill"}')
            return
        status, told = self._ask(request, body)
        if illness == "lost":
            request.close_connection = True
            return
        said = {
            "garbage": b"\x00\xff" * 500,
            "half": told[: len(told) // 2],
            "html": b"<html>Log in</html>",
            "another object": b'{"kind": "Status", "status": "Success"}',
        }.get(illness, told)
        self._answer(request, status, said)

    def _ask(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        asked = http.client.HTTPSConnection(
            "127.0.0.1", self._api.port, timeout=20, context=self._context
        )
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        try:
            asked.request(request.command, request.path, body or None, headers)
            answer = asked.getresponse()
            return answer.status, answer.read()
        finally:
            asked.close()

    def _answer(self, request: BaseHTTPRequestHandler, status: int, told: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(told)))
        request.end_headers()
        request.wfile.write(told)
