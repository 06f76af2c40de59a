"""A server whose handlers hear of bodies that are too long, without having them read."""

from __future__ import annotations

from typing import Any, Final

from tornado import httputil
from tornado.httpserver import HTTPServer

PASSED_OVER: Final = 16 * 2**20
"""Bytes of a refused body that are read and thrown away: who sends it reads the answer after it.
Of what is said to be longer nothing is read, and the connection ends with the answer."""
_DIGITS: Final = 18


class MeasuringServer(HTTPServer):
    """``largest``: bytes of a body; it is made with ``max_body_size=PASSED_OVER``.

    Of those that are longer a handler is given a beginning that is longer too, and has to refuse
    it, as :class:`~jupyter_mlinfn.hub.service.requests.GuardedHandler` does.
    """

    largest = 0

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """One request."""
        inner = super().start_request(server_conn, request_conn)
        return _Measured(inner, request_conn, self.largest)


class _Measured(httputil.HTTPMessageDelegate):
    def __init__(
        self, request: httputil.HTTPMessageDelegate, connection: Any, largest: int
    ) -> None:
        self._request, self._connection, self._left = request, connection, largest
        self._over = self._answered = False

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Any:
        told = self._request.headers_received(start_line, headers)
        length = headers.get("Content-Length", "")
        if length.isdecimal() and len(length) < _DIGITS and int(length) > PASSED_OVER:
            # else tornado refuses it, before our answer
            self._connection.set_max_body_size(int(length))
            self.data_received(b" " * (self._left + 1))
            self.finish()
        return told

    def data_received(self, chunk: bytes) -> Any:
        if self._over:
            return None
        self._over = len(chunk) > self._left
        self._left -= len(chunk)
        return self._request.data_received(chunk)

    def finish(self) -> None:
        if not self._answered:
            self._answered = True
            self._request.finish()

    def on_connection_close(self) -> None:
        self._request.on_connection_close()
