"""The live socket where a topic cannot be read, or listeners come and go at the wrong moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.server import feeds
from tests.server.serving import Page, Server

pytestmark = pytest.mark.slow


def of(topic: str, kind: str) -> Any:
    return lambda frame: (frame.get("topic"), frame["type"]) == (topic, kind)


def silent(*_: object, **__: object) -> None:
    raise Unavailable("The index of jobs is locked.", code="store-locked")


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "AFTER_TROUBLE_SECONDS", 0.1)


async def told_once(page: Page) -> None:
    told = await page.until(of("jobs", "trouble"))
    assert told["code"] == "store-locked"


async def test_a_topic_that_cannot_be_read_takes_no_other_along_and_comes_back(
    server: Server, room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await server.page()
    with monkeypatch.context() as broken:
        await room.run(lambda: broken.setattr(room.workbench.store, "page", silent))
        await page.say(type="subscribe", topic="jobs")
        await told_once(page)
        await page.say(type="subscribe", topic="tasks")
        await page.until(of("tasks", "full"))
    full = await page.until(of("jobs", "full"))
    assert full["data"]["jobs"] == []


async def test_after_trouble_a_full_frame_says_that_it_is_over(
    server: Server, room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await server.page()
    await page.say(type="subscribe", topic="jobs")
    await page.until(of("jobs", "full"))
    with monkeypatch.context() as broken:
        broken.setattr(room.workbench.store, "changed_since", silent)
        await told_once(page)
    assert await page.until(of("jobs", "full"))


class Slow:
    """Stands before a function: the first call goes in and waits there."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.entered = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> Any:
        first = not self.entered.is_set()
        answer = self._call()
        self.entered.set()
        if first:
            self.go.wait(60)
        return answer


@pytest.fixture
def slow_list(room: Any) -> Iterator[Slow]:
    catalogue = room.workbench.catalogue
    slow = Slow(catalogue.list)
    catalogue.list = slow
    yield slow
    slow.go.set()


async def test_who_comes_while_another_leaves_before_its_first_frame_is_kept_up_to_date(
    server: Server, room: Any, slow_list: Slow
) -> None:
    """A page that is loaded again at once: the old one goes while its first frame is read."""
    channel = room.broadcast.channels["tasks"]
    old = await server.page()
    await old.say(type="subscribe", topic="tasks")
    await room.run(slow_list.entered.wait, 60)
    (client,) = room.broadcast.clients
    new = await server.page()
    await new.say(type="subscribe", topic="tasks")
    room.broadcast.detach(client)
    while not channel._interested:
        await asyncio.sleep(0.01)
    slow_list.go.set()
    await new.until(of("tasks", "full"))
    reply = await server.ask(
        "POST", "environments/tasks", body={"action": "create", "name": "mine", "packages": ["x"]}
    )
    assert reply.status == 202, reply.json
    delta = await new.until(of("tasks", "delta"))
    while not delta["data"]["changed"]:
        delta = await new.until(of("tasks", "delta"))
    assert delta["data"]["changed"][0]["id"] == reply.json["id"]


async def test_a_feed_that_is_stirred_as_its_last_listener_leaves_ends(
    server: Server, room: Any
) -> None:
    page = await server.page()
    await page.say(type="subscribe", topic="jobs")
    await page.until(of("jobs", "full"))
    channel = room.broadcast.channels["jobs"]
    task = channel._task
    while channel.lock.locked():  # it waits for a reason to look
        await asyncio.sleep(0.01)
    room.stir("jobs")
    room.broadcast.detach(*room.broadcast.clients)
    try:
        assert (await asyncio.wait([task], timeout=30))[0], "it runs on, and the server never ends"
    finally:
        task.cancel()
