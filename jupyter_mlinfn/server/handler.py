"""Tornado handlers made from the table of routes.

Every verb is made here, so none can lack authentication, or authorisation by an explicit action
and resource (a bare ``@authorized`` would keep the resource of the class it met first).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from re import compile as pattern
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from jupyter_server.auth.decorator import authorized
from jupyter_server.auth.identity import User
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_mlinfn.server.table import API, Route, look_up

if TYPE_CHECKING:
    from pydantic import BaseModel
    from tornado.httputil import HTTPServerRequest

    from jupyter_mlinfn.server.paths import Root
    from jupyter_mlinfn.server.room import Room
    from jupyter_mlinfn.workbench import Workbench

Verb = Callable[..., Awaitable[None]]

PLACE = pattern(r"{([a-z]+)}")
SEGMENT = r"(?P<\1>[^/]+)"


@dataclass(frozen=True)
class Download:
    """An answer that is sent piece by piece and never held whole: a file with a name."""

    name: str
    length: int
    pieces: Generator[bytes, None, None]


@dataclass(frozen=True)
class Call:
    """One request, read and checked. ``body`` and ``query`` are the models the route names."""

    room: Room
    root: Root
    values: dict[str, str]
    query: Any = None
    body: Any = None
    key: str | None = None

    @property
    def workbench(self) -> Workbench:
        """The capabilities; only in a thread."""
        return self.room.workbench


class ApiHandler(APIHandler):  # type: ignore[misc]  # jupyter_server is untyped to us
    """Answers in JSON, errors as problem documents; work happens in a thread."""

    _track_activity = False

    @property
    def room(self) -> Room:
        """What all handlers of this server share."""
        return cast("Room", self.settings["mlinfn_room"])

    async def prepare(self) -> None:
        """Import what answers need before anything can fail, then let Jupyter authenticate."""
        await self.room.warm()
        await super().prepare()

    def compute_etag(self) -> None:
        """No hash of an answer that no cache keeps: 60 MiB would hold up the event loop."""

    async def respond(self, route: Route, values: dict[str, str]) -> None:
        """Read the request, call the route's function, send its answer."""
        from jupyter_mlinfn.server.problems import known

        self._track_activity = not route.polled
        try:
            answer = await self._work(route, values)
        except Exception as error:
            if (expected := known(error)) is None:
                raise
            self.refuse(expected)
            return
        self.set_status(route.status)
        self.set_header("Cache-Control", "no-store")
        if isinstance(answer, Download):
            await self._send(answer)
            return
        if answer is None:
            self.set_status(204)
        self.finish(answer, set_content_type=route.media or "application/json")

    async def _send(self, download: Download) -> None:
        """Send a file to be saved; as slowly as the reader takes it. No page is made of it."""
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Length", str(download.length))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        name = quote(download.name, safe="")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        try:
            while (piece := await self.room.run_slow(next, download.pieces, None)) is not None:
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            return  # the reader has gone
        finally:
            await self.room.run_slow(download.pieces.close)
        self.finish(set_content_type="application/octet-stream")

    async def _work(self, route: Route, values: dict[str, str]) -> bytes | Download | None:
        room, request = self.room, self.request
        function = await room.find(route.call)
        if iscoroutinefunction(function):
            call = await room.run(read_call, route, request, values, room)
            answer = await room.run(to_json, await function(call))
        else:
            run = room.run_slow if route.slow else room.run
            answer = await run(lambda: to_json(function(read_call(route, request, values, room))))
        if route.stirs:
            room.stir(route.stirs)
        return answer

    def refuse(self, error: Any) -> None:
        """Answer with the problem document of one of our errors."""
        from jupyter_mlinfn.server.problems import CONTENT_TYPE, describe

        document = describe(error)
        self.log.info("%s %s: %s", self.request.method, error.status, error.code)
        self.set_status(document.status)
        self.finish(document.model_dump_json().encode(), set_content_type=CONTENT_TYPE)

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer with a problem document also where tornado or Jupyter refused, or we failed."""
        from jupyter_mlinfn.server.problems import CONTENT_TYPE, describe_status

        document = describe_status(status_code)
        self.finish(document.model_dump_json().encode(), set_content_type=CONTENT_TYPE)


class SecretHandler(ApiHandler):
    """Also lets in the ``mlinfn`` program of the same person, by the runtime file's secret.

    The secret stands for the login alone: the authorizer is asked as for everybody. No browser
    sends the header unasked, so it stands for the XSRF check too.
    """

    async def prepare(self) -> None:
        """Accept the secret of the runtime file, or else authenticate as usual."""
        given = self.request.headers.get("X-Mlinfn-Secret")
        if given is None:
            await super().prepare()
            return
        await self.room.warm()
        self.current_user = self._jupyter_current_user = None
        if not self.check_host() or not self.room.runtime_file.matches(given):
            raise web.HTTPError(403)
        self.current_user = self._jupyter_current_user = User(username="mlinfn")


class UnknownPath(ApiHandler):
    """Any other path below the API: a problem document for those who are logged in."""

    async def prepare(self) -> None:
        """Authenticate first, so that strangers learn nothing."""
        await super().prepare()
        if self.current_user is None:
            raise web.HTTPError(403)
        raise web.HTTPError(404)


def read_call(route: Route, request: HTTPServerRequest, values: dict[str, str], room: Room) -> Call:
    """What the request says, checked against the models of ``route``. Runs in a thread."""
    from jupyter_mlinfn.server.questions import NoQuery
    from jupyter_mlinfn.server.reading import read_body, read_key, read_query

    headers = request.headers
    query = read_query(look_up(route.query) if route.query else NoQuery, request.query_arguments)
    body = None
    if route.body:
        body = read_body(look_up(route.body), request.body, headers.get("Content-Type", ""))
    key = read_key(headers.get("Idempotency-Key")) if route.idempotent else None
    return Call(room=room, root=room.root, values=values, query=query, body=body, key=key)


def to_json(answer: BaseModel | bytes | Download | None) -> bytes | Download | None:
    """The answer as JSON text; a function that has JSON already gives bytes."""
    if answer is None or isinstance(answer, bytes | Download):
        return answer
    return answer.model_dump_json().encode()


def handlers_of(routes: Iterable[Route]) -> list[tuple[str, type[ApiHandler]]]:
    """One handler class per path, with one method per verb, in the table's order."""
    paths: dict[str, list[Route]] = {}
    for route in routes:
        paths.setdefault(route.path, []).append(route)
    return [
        (f"{API}/{PLACE.sub(SEGMENT, path)}", _handler(path, found))
        for path, found in paths.items()
    ]


def _handler(path: str, routes: list[Route]) -> type[ApiHandler]:
    base = SecretHandler if any(route.secret for route in routes) else ApiHandler
    verbs: dict[str, Any] = {route.verb: _verb(route) for route in routes}
    return type(f"Mlinfn[{path}]", (base,), verbs)


def _verb(route: Route) -> Verb:
    @web.authenticated
    @authorized(route.action, route.resource)  # type: ignore[untyped-decorator]
    async def answer(self: ApiHandler, **values: str) -> None:
        await self.respond(route, values)

    return cast("Verb", answer)
