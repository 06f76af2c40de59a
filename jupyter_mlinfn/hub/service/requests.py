"""What all our services ask of a request before they do anything, and how they answer.

Who asks is known by a token in a header alone. Cookies are never read, so there is nothing that a
foreign page could make a browser send; a request that comes from a page is refused all the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from tornado import web
from tornado.httpserver import HTTPServer

from jupyter_mlinfn.hub.service.asking import Asking, Model, NoToken
from jupyter_mlinfn.hub.service.bodies import PASSED_OVER, MeasuringServer
from jupyter_mlinfn.model.errors import InputError, MlinfnError
from jupyter_mlinfn.model.quantities import show_memory

LARGEST: Final = 4096
"""Bytes of a body. What is said to be longer is refused before it is read."""
JSON: Final = "application/json"
PORT_PATIENCE: Final = 20.0

Body = TypeVar("Body", bound=BaseModel)

_CODES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad-input", "This request cannot be read."),
    401: ("no-token", "Show the hub token of your session in the header Authorization."),
    403: ("not-allowed", "You may not do this."),
    404: ("not-found", "There is nothing of this name."),
    405: ("verb", "This cannot be asked in this way."),
    413: ("too-long", "{what} is too long: it may have {most} at most. {do}"),
}


class GuardedHandler(web.RequestHandler):
    """Checks of every request, answers as JSON, errors as problem documents.

    ``open``: everybody may ask; ``largest``: bytes of a body; ``log``: where a fault of ours goes.
    ``body_is`` and ``shorten`` say of a body that is longer what it is and what to do.
    ``asker`` is the hub's word on who asks.
    """

    open = False
    largest = LARGEST
    body_is = "The body of this request"
    shorten = "Send less."
    log = logging.getLogger("mlinfn-service")
    asking: Asking
    asker: Model

    def check_xsrf_cookie(self) -> None:
        """Cookies are no proof of anything here, so there is nothing to forge."""

    def set_default_headers(self) -> None:
        """Nothing is kept, framed, guessed or told of the server."""
        self.set_header("Server", "mlinfn")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")

    async def prepare(self) -> None:
        """Refuse pages, long bodies and strangers before anything is done."""
        if len(self.request.body) > self.largest:
            raise web.HTTPError(413)
        self._refuse_pages()
        if not self.open:
            self.asker = await self.asking.who(self.request.headers.get("Authorization", ""))

    def _refuse_pages(self) -> None:
        headers = self.request.headers
        origin = headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != headers.get("Host")
        if foreign or headers.get("Sec-Fetch-Mode") == "no-cors":
            raise web.HTTPError(403, reason="foreign-origin")

    def must_be_json(self) -> None:
        """Raises :class:`InputError` for a body of another kind."""
        if self.request.headers.get("Content-Type", "").split(";")[0] != JSON:
            raise InputError("Send it as application/json.", field="Content-Type")

    def body(self, model: type[Body]) -> Body:
        """The request's document. Raises :class:`InputError`."""
        self.must_be_json()
        try:
            return model.model_validate_json(self.request.body)
        except ValidationError as error:
            wrong = error.errors()[0]
            field = ".".join(map(str, wrong["loc"])) or "body"
            raise InputError(f"{field}: {wrong['msg']}.", field=field) from None

    def answer(self, document: BaseModel) -> None:
        """Say ``document``."""
        self.set_header("Content-Type", JSON)
        self.finish(document.model_dump_json())

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """An RFC 9457 problem document without a word of our insides."""
        raised = kwargs.get("exc_info", (None, None, None))[1]
        code, text = _CODES.get(status_code, ("failed", "This could not be done."))
        several: list[dict[str, Any]] = []
        if isinstance(raised, MlinfnError):
            status_code, code, text = raised.status, raised.code, raised.text
            several = [one.model_dump(exclude_none=True) for one in raised.problems if one.field]
        elif isinstance(raised, NoToken):
            status_code, (code, text) = 401, _CODES[401]
            self.set_header("WWW-Authenticate", "token")
        elif isinstance(raised, web.HTTPError) and raised.reason == "foreign-origin":
            code, text = "foreign-origin", "Pages of other sites may not ask here."
        elif status_code == 413:
            most = show_memory(self.largest)
            text = text.format(what=self.body_is, most=most, do=self.shorten)
        self.set_status(status_code)
        self.set_header("Content-Type", "application/problem+json")
        title = HTTPStatus(status_code).phrase
        told = {"title": title, "status": status_code, "code": code, "detail": text}
        # as text: tornado calls every dict it writes application/json
        self.finish(json.dumps({**told, "problems": several} if several else told))

    def log_exception(self, *raised: Any) -> None:
        """What is expected is no news; a fault of ours is logged with its trace."""
        if not isinstance(raised[1], MlinfnError | NoToken | web.HTTPError):
            self.log.error("A request failed", exc_info=raised)


class HealthHandler(GuardedHandler):
    """``health``, for whoever watches over the service."""

    open = True

    def get(self) -> None:
        """It answers."""
        self.finish({"ok": True})


class UnknownHandler(GuardedHandler):
    """Everything else."""

    open = True

    async def prepare(self) -> None:
        """There is nothing here, whoever asks and however."""
        raise web.HTTPError(404)


def http_server(app: web.Application, largest: int = 16 * LARGEST) -> HTTPServer:
    """A server that does not keep what is too long, nor wait for who does not speak. ``largest`` is
    the most that any of the handlers takes."""
    server = MeasuringServer(
        app,
        max_body_size=PASSED_OVER,
        max_header_size=16 * LARGEST,
        idle_connection_timeout=60,
        body_timeout=60,
    )
    server.largest = largest
    return server


async def listen(server: HTTPServer, host: str, port: int) -> None:
    """Take the port, which the service of a hub that was killed may hold for a moment yet."""
    until = time.monotonic() + PORT_PATIENCE
    while True:
        try:
            server.listen(port, address=host)
            return
        except OSError:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(0.2)
