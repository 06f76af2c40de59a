"""Every route: nobody without login, nobody without the right, only the verbs that there are."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from jupyter_mlinfn.server.table import API, LIVE_RESOURCE, ROUTES, Route
from tests.server.serving import RecordingAuthorizer, Server, login_cookie, problem_of

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")
NO_TOKEN: dict[str, Any] = {"Authorization": None}


def address(route: Route) -> str:
    path = route.path.replace("{id}", "abcdefghij").replace("{uuid}", "GPU-0")
    return path.replace("{name}", "science").replace("{task}", "0123456789abcdef")


def by_name(route: Route) -> str:
    return route.name


def registered_paths(server: Server) -> set[str]:
    return {
        rule.matcher.regex.pattern
        for group in server.app.web_app.default_router.rules
        for rule in getattr(group.target, "rules", [])
        if "mlinfn" in getattr(getattr(rule.matcher, "regex", None), "pattern", "")
    }


async def test_nothing_is_registered_beside_the_table(server: Server) -> None:
    table = {route.path for route in ROUTES}
    assert len(registered_paths(server)) == len(table) + 2  # the socket, and any other path


@pytest.mark.parametrize("route", ROUTES, ids=by_name)
async def test_without_login(
    server: Server, route: Route, authorizer: type[RecordingAuthorizer]
) -> None:
    for headers in (NO_TOKEN, {"Authorization": "token wrong"}):
        reply = await server.ask(route.verb.upper(), address(route), body={}, headers=headers)
        assert reply.status == 403
        assert problem_of(reply)["code"] == "not-allowed"
    assert authorizer.asked == []


@pytest.mark.parametrize("route", ROUTES, ids=by_name)
async def test_without_the_right(
    server: Server, route: Route, authorizer: type[RecordingAuthorizer], room: Any
) -> None:
    authorizer.denied = None
    reply = await server.ask(route.verb.upper(), address(route), body={})
    assert reply.status == 403
    problem_of(reply)
    assert authorizer.asked == [(route.action, route.resource)]
    assert room._workbench is None, "something was opened for somebody without the right"


@pytest.mark.parametrize("path", sorted({address(route) for route in ROUTES}))
async def test_other_verbs(server: Server, path: str) -> None:
    known = {route.verb.upper() for route in ROUTES if address(route) == path}
    for verb in VERBS:
        if verb in known:
            continue
        reply = await server.ask(verb, path, body=None if verb in ("GET", "HEAD") else b"{}")
        assert reply.status == 405, f"{verb} {path}"
        stranger = await server.ask(
            verb, path, body=None if verb in ("GET", "HEAD") else b"{}", headers=NO_TOKEN
        )
        assert stranger.status in (403, 405), f"{verb} {path}"


async def test_unknown_paths(server: Server) -> None:
    for path in ("", "nothing", "jobs/abcdefghij/nothing", "jobs/", "gpus/x/y/history"):
        assert (await server.ask("GET", path, headers=NO_TOKEN)).status == 403
        reply = await server.ask("GET", path)
        assert reply.status == 404
        assert problem_of(reply)["code"] == "not-found"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.verb != "get"], ids=by_name)
async def test_a_cookie_alone_changes_nothing_without_the_xsrf_token(
    server: Server, route: Route, authorizer: type[RecordingAuthorizer]
) -> None:
    cookie = await login_cookie(server)
    reply = await server.ask(
        route.verb.upper(), address(route), body={}, headers={**NO_TOKEN, "Cookie": cookie}
    )
    assert reply.status == 403
    problem_of(reply)
    assert authorizer.asked == []


async def test_the_cookie_reads(server: Server) -> None:
    headers = {**NO_TOKEN, "Cookie": await login_cookie(server), "Referer": server.url}
    assert (await server.ask("GET", "nothing", headers=headers)).status == 404


async def test_a_form_post_without_cors_is_refused(server: Server) -> None:
    headers = {
        **NO_TOKEN,
        "Cookie": await login_cookie(server),
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Site": "cross-site",
        "Content-Type": "text/plain",
    }
    reply = await server.ask("POST", "jobs", body=b"{}", headers=headers)
    assert reply.status == 403


async def test_the_socket_without_login(server: Server) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await server.page(Authorization=None)
    assert caught.value.code == 403


async def test_the_socket_without_the_right(
    server: Server, authorizer: type[RecordingAuthorizer], room: Any
) -> None:
    authorizer.denied = None
    with pytest.raises(HTTPClientError) as caught:
        await server.page()
    assert caught.value.code == 403
    assert authorizer.asked == [("read", LIVE_RESOURCE)]
    assert room._broadcast is None


@pytest.mark.parametrize("with_token", [True, False], ids=["token", "cookie"])
async def test_the_socket_from_a_foreign_page(server: Server, with_token: bool) -> None:
    who = {} if with_token else {**NO_TOKEN, "Cookie": await login_cookie(server)}
    with pytest.raises(HTTPClientError) as caught:
        await server.page(Origin="https://evil.example", **who)
    assert caught.value.code == 403


async def test_the_socket_from_its_own_page(server: Server) -> None:
    page = await server.page(Origin=f"http://127.0.0.1:{server.port}")
    page.socket.close()


async def test_jupyter_finds_no_handler_without_authentication(server: Server) -> None:
    from jupyter_server.serverapp import ServerWebApplication

    from jupyter_mlinfn.server.app import MlinfnApp

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app = server.app.extension_manager.extension_apps["jupyter_mlinfn"]
        for extension in app:
            assert isinstance(extension, MlinfnApp)
            for pattern, handler, *_ in extension.handlers:
                missing = ServerWebApplication._check_handler_auth(
                    server.app.web_app, pattern, handler
                )
                assert missing == []


def test_every_path_of_the_table_is_below_the_api() -> None:
    assert API == "mlinfn/api/v1"
    assert all(not route.path.startswith("/") for route in ROUTES)


def test_reading_changes_nothing() -> None:
    assert all(route.action == "read" for route in ROUTES if route.verb == "get")


def test_the_package_names_its_extension() -> None:
    import jupyter_mlinfn

    (point,) = jupyter_mlinfn._jupyter_server_extension_points()
    assert point["app"].name == "mlinfn"  # so the file is jupyter_mlinfn_config.py
    assert (Path(jupyter_mlinfn.__file__).parents[1] / "jupyter-config").is_dir()
