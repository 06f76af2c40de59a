"""A mail server and a web server that keep what they are sent."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    """As much of RFC 5321 as a client without TLS speaks. ``refuses``: the answer to each
    recipient; ``goodbye``: that to the end."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.letters: list[EmailMessage] = []
        self.refuses = b""
        self.goodbye = b"221 bye\r\n"

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self._take()
            elif verb == b"RCPT" and self.server.refuses:
                self.wfile.write(self.server.refuses)
            elif verb == b"QUIT":
                self.wfile.write(self.server.goodbye)
                return
            else:
                self.wfile.write(b"250 fine\r\n")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        letter = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.server.letters.append(letter)
        self.wfile.write(b"250 taken\r\n")


class WebServer(ThreadingHTTPServer):
    """Keeps the bodies of POSTs; ``statuses`` are answered one after the other, then 200; where
    it is 0 nothing is. ``seconds``: until an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Web)
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str] = []
        self.statuses: list[int] = []
        self.seconds = 0.0

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Web(BaseHTTPRequestHandler):
    server: WebServer

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.bodies.append(json.loads(self.rfile.read(length)))
        self.server.paths.append(self.path)
        self.server.keys.append(self.headers["Idempotency-Key"])
        time.sleep(self.server.seconds)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://{self.server.place}/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving(server: MailServer | WebServer) -> Iterator[None]:
    """The server answers."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
