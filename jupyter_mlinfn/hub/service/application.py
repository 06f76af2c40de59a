"""The session API (docs/hub-services.md, section 2).

Who asks is known by a token in a header alone. Cookies are never read, so there is nothing that a
foreign page could make a browser send; a request that comes from a page is refused all the same.
"""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError
from tornado import web
from tornado.httpserver import HTTPServer

from jupyter_mlinfn.hub.reclaim.verdicts import VerdictRequest
from jupyter_mlinfn.hub.reclaim.watch import Watch
from jupyter_mlinfn.hub.service.asking import Asking, Model, NoToken, must_be_service, session_of
from jupyter_mlinfn.hub.service.definition import CULLER
from jupyter_mlinfn.model.errors import InputError, MlinfnError
from jupyter_mlinfn.model.leases import PoolState
from jupyter_mlinfn.model.states import Frozen

LARGEST: Final = 4096
"""Bytes of a body. What is said to be longer is not read."""
VERBS: Final = ("GET", "POST")
_log = logging.getLogger("mlinfn-service")

Body = TypeVar("Body", bound=BaseModel)


class Nothing(Frozen):
    """The body where there is nothing to say: ``{}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Accelerators(Frozen):
    """What is free now."""

    pools: tuple[PoolState, ...]


class ServiceHandler(web.RequestHandler):
    """Checks of every request, answers as JSON, errors as problem documents."""

    SUPPORTED_METHODS = VERBS
    open = False

    def initialize(self, watch: Watch, asking: Asking) -> None:
        """What the handlers share."""
        self.watch = watch
        self.asking = asking
        self.asker: Model = {}

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
        if len(self.request.body) > LARGEST:
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

    def body(self, model: type[Body]) -> Body:
        """The request's document. Raises :class:`InputError`."""
        if self.request.headers.get("Content-Type", "").split(";")[0] != "application/json":
            raise InputError("Send it as application/json.", field="Content-Type")
        try:
            return model.model_validate_json(self.request.body)
        except ValidationError as error:
            wrong = error.errors()[0]
            field = ".".join(map(str, wrong["loc"])) or "body"
            raise InputError(f"{field}: {wrong['msg']}.", field=field) from None

    def answer(self, document: BaseModel) -> None:
        """Say ``document``."""
        self.set_header("Content-Type", "application/json")
        self.finish(document.model_dump_json())

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """An RFC 9457 problem document without a word of our insides."""
        raised = kwargs.get("exc_info", (None, None, None))[1]
        code, text = _CODES.get(status_code, ("failed", "This could not be done."))
        if isinstance(raised, MlinfnError):
            status_code, code, text = raised.status, raised.code, raised.text
        elif isinstance(raised, NoToken):
            status_code, (code, text) = 401, _CODES[401]
            self.set_header("WWW-Authenticate", "token")
        elif isinstance(raised, web.HTTPError) and raised.reason == "foreign-origin":
            code, text = "foreign-origin", "Pages of other sites may not ask here."
        self.set_status(status_code)
        self.set_header("Content-Type", "application/problem+json")
        title = HTTPStatus(status_code).phrase
        self.finish({"title": title, "status": status_code, "code": code, "detail": text})

    def log_exception(self, *raised: Any) -> None:
        """What is expected is no news; a fault of ours is logged with its trace."""
        if not isinstance(raised[1], MlinfnError | NoToken | web.HTTPError):
            _log.error("A request failed", exc_info=raised)


_CODES: Final = {
    400: ("bad-input", "This request cannot be read."),
    401: ("no-token", "Show the hub token of your session in the header Authorization."),
    403: ("not-allowed", "You may not do this."),
    404: ("not-found", "There is nothing of this name."),
    405: ("verb", "This cannot be asked in this way."),
    413: ("too-long", f"A request may have {LARGEST} bytes at most."),
}


class SessionHandler(ServiceHandler):
    """``api/v1/session``."""

    def get(self) -> None:
        """The asker's session."""
        self.answer(self.watch.session(session_of(self.asker), time.monotonic()))


class KeepHandler(ServiceHandler):
    """``api/v1/session/keep``."""

    def post(self) -> None:
        """Keep the accelerators a while longer."""
        key = session_of(self.asker)
        self.body(Nothing)
        self.answer(self.watch.keep(key, time.monotonic()))


class AcceleratorsHandler(ServiceHandler):
    """``api/v1/accelerators``."""

    def get(self) -> None:
        """What is free now, for every session."""
        session_of(self.asker)
        self.answer(Accelerators(pools=self.watch.pools(time.monotonic())))


class VerdictHandler(ServiceHandler):
    """``api/v1/verdict``."""

    def post(self) -> None:
        """Whether a session is to end: for the culler alone."""
        must_be_service(self.asker, CULLER)
        self.answer(self.watch.verdict(self.body(VerdictRequest), time.monotonic()))


class HealthHandler(ServiceHandler):
    """``health``, for whoever watches over the service."""

    open = True

    def get(self) -> None:
        """It answers."""
        self.finish({"ok": True})


class UnknownHandler(ServiceHandler):
    """Everything else."""

    open = True

    async def prepare(self) -> None:
        """There is nothing here, whoever asks and however."""
        raise web.HTTPError(404)


def application(watch: Watch, asking: Asking, prefix: str) -> web.Application:
    """The service below ``prefix`` (with a slash at both ends)."""
    shared = {"watch": watch, "asking": asking}
    api = f"{prefix}api/v1/"
    return web.Application(
        [
            (f"{api}session", SessionHandler, shared),
            (f"{api}session/keep", KeepHandler, shared),
            (f"{api}accelerators", AcceleratorsHandler, shared),
            (f"{api}verdict", VerdictHandler, shared),
            (f"{prefix}health", HealthHandler, shared),
        ],
        default_handler_class=UnknownHandler,
        default_handler_args=shared,
        log_function=lambda _handler: None,
    )


def http_server(app: web.Application) -> HTTPServer:
    """A server that does not read what is too long, nor wait for who does not speak."""
    return HTTPServer(
        app, max_body_size=16 * LARGEST, max_header_size=16 * LARGEST, idle_connection_timeout=60
    )
