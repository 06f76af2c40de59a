"""The session on a hub, as this server tells it; the hub's service is real, its hub a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.model.errors import Conflict, NotFound, Unavailable
from jupyter_mlinfn.server import session
from jupyter_mlinfn.server.session import HubSessionDesk
from tests.hub.service.answering import PREFIX, Service
from tests.server.serving import Server


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.stop()


def environment(service: Service, token: str = "ada-session") -> dict[str, str]:
    return {
        "MLINFN_HUB_SERVICE": f"http://127.0.0.1:{service.port}{PREFIX}",
        "JUPYTERHUB_API_TOKEN": token,
    }


async def test_the_service_is_asked_once_a_minute(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(session, "monotonic", lambda: now)
    desk = HubSessionDesk(environment(service))
    first = await desk.look()
    assert first.session is not None
    assert first.session.user == "ada"
    assert first.session.warning is None
    service.warn_ada()
    now += 59
    assert await desk.look() == first
    now += 1
    second = await desk.look()
    assert second.session is not None
    assert second.session.warning is not None


async def test_keeping_and_the_reason_why_not(service: Service) -> None:
    desk = HubSessionDesk(environment(service))
    with pytest.raises(Conflict, match="Nothing is to be released"):
        await desk.keep()
    service.warn_ada()
    kept = await desk.keep()
    assert kept.session is not None
    assert (kept.session.warning, kept.session.keeps_left) == (None, 1)
    assert await desk.look() == kept


async def test_a_hub_that_falls_silent_leaves_what_was_known(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(session, "monotonic", lambda: now)
    service.warn_ada()
    desk = HubSessionDesk(environment(service, "bob-session"))
    known = await desk.look()
    service.silent = True
    now += 60
    silent = await HubSessionDesk(environment(service)).look()
    assert silent.session is None
    assert silent.trouble is not None
    service.stop_listening()
    silent = await desk.look()
    assert silent.session == known.session
    assert silent.trouble is not None
    with pytest.raises(Unavailable):
        await desk.keep()


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"MLINFN_HUB_SERVICE": "http://127.0.0.1:1/services/mlinfn/"},
        {"MLINFN_HUB_SERVICE": "/services/mlinfn/", "JUPYTERHUB_API_TOKEN": "t"},
        {"MLINFN_HUB_SERVICE": "file:///etc/passwd", "JUPYTERHUB_API_TOKEN": "t"},
        {"MLINFN_HUB_SERVICE": "http://evil@host/x", "JUPYTERHUB_API_TOKEN": "t"},
        {"MLINFN_HUB_SERVICE": "http://host/x y", "JUPYTERHUB_API_TOKEN": "t"},
    ],
)
async def test_without_a_hub_nothing_is_asked(told: dict[str, str]) -> None:
    desk = HubSessionDesk(told)
    view = await desk.look()
    assert (view.session, view.trouble) == (None, None)
    with pytest.raises(NotFound):
        await desk.keep()


@pytest.fixture
def on_a_hub(
    service: Service, monkeypatch: pytest.MonkeyPatch, server: Server, room: Any
) -> Server:
    monkeypatch.setattr(room, "_session", HubSessionDesk(environment(service)))
    return server


async def test_a_page_is_told_and_told_again_when_it_was_kept(
    service: Service, on_a_hub: Server
) -> None:
    service.warn_ada()
    page = await on_a_hub.page()
    await page.say(type="subscribe", topic="session")
    full = await page.until(lambda frame: frame.get("topic") == "session")
    assert full["data"]["session"]["warning"]["release_at"]
    reply = await on_a_hub.ask("POST", "session/keep", body={})
    assert reply.status == 200
    assert reply.json["session"]["warning"] is None
    again = await page.until(lambda frame: frame.get("topic") == "session")
    assert again["type"] == "full"
    assert again["data"]["session"]["keeps_left"] == 1
    reply = await on_a_hub.ask("POST", "session/keep", body={})
    assert (reply.status, reply.json["code"]) == (409, "not-kept")
    reply = await on_a_hub.ask("POST", "session/keep", body={"hours": 100})
    assert reply.status == 400


async def test_a_server_of_ones_own_says_calmly_that_there_is_no_hub(server: Server) -> None:
    reply = await server.ask("GET", "session")
    assert reply.json == {"session": None, "trouble": None}
    assert (await server.ask("POST", "session/keep", body={})).status == 404
