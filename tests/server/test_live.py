"""The live socket: full frames, deltas without gaps, pauses, slow readers, rights by topic."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
import pytest
from tornado.websocket import WebSocketClosedError

from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.server import feeds
from tests.server.serving import Page, RecordingAuthorizer, Server, children_since

pytestmark = pytest.mark.slow

MakeNotebook = Callable[..., str]
Frame = dict[str, Any]


def of(topic: str, kind: str | None = None) -> Callable[[Frame], bool]:
    return lambda frame: frame.get("topic") == topic and kind in (None, frame["type"])


async def listening(server: Server, topic: str) -> tuple[Page, Frame]:
    """A page that listens to ``topic``, and its full frame."""
    page = await server.page()
    await page.say(type="subscribe", topic=topic)
    return page, await page.until(of(topic, "full"))


def submit(room: Any, server: Server, source: str) -> Any:
    return room.workbench.submission.submit(JobRequest(source=str(server.root / source)))


@pytest.mark.usefixtures("nothing_starts")
class TestJobs:
    async def test_a_full_frame_then_what_changed(
        self, server: Server, room: Any, make_notebook: MakeNotebook
    ) -> None:
        source = make_notebook("work/fit.ipynb", ["1"])
        first = await room.run(submit, room, server, source)
        page, full = await listening(server, "jobs")
        assert [job["id"] for job in full["data"]["jobs"]] == [first.id]
        assert full["data"]["counts"]["total"] == 1

        second = await room.run(submit, room, server, source)
        delta = await page.until(of("jobs"))
        assert delta["type"] == "delta"
        assert delta["seq"] == full["seq"] + 1
        (changed,) = delta["data"]["changed"]
        assert changed["id"] == second.id
        assert changed["source"] == "work/fit.ipynb"
        assert delta["data"]["counts"]["total"] == 2

        await server.ask("POST", f"jobs/{first.id}/cancel")
        cancelled = await page.until(of("jobs"))
        assert cancelled["seq"] == delta["seq"] + 1
        assert cancelled["data"]["changed"][0]["state"] == "cancelled"

        await server.ask("DELETE", f"jobs/{first.id}")
        deleted = await page.until(of("jobs"))
        assert deleted["data"]["deleted"] == [first.id]
        assert deleted["data"]["counts"]["total"] == 1

    async def test_a_page_that_comes_late_misses_nothing(
        self, server: Server, room: Any, make_notebook: MakeNotebook
    ) -> None:
        """Whatever is submitted while pages join: full frame and deltas together tell all."""
        source = make_notebook("fit.ipynb", ["1"])
        await server.page()

        async def submitting() -> set[str]:
            return {(await room.run(submit, room, server, source)).id for _ in range(12)}

        async def joining(pause: float) -> Page:
            await asyncio.sleep(pause)
            return (await listening(server, "jobs"))[0]

        work = asyncio.create_task(submitting())
        pages = await asyncio.gather(*(joining(0.1 * number) for number in range(6)))
        wanted = await work
        for page in pages:
            async with asyncio.timeout(20):
                while not wanted <= seen(page):
                    await page.hear()
            numbers = [frame["seq"] for frame in page.got if frame.get("topic") == "jobs"]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    async def test_the_same_bytes_go_to_all_pages(
        self, server: Server, room: Any, make_notebook: MakeNotebook
    ) -> None:
        pages = [(await listening(server, "jobs"))[0] for _ in range(3)]
        await room.run(submit, room, server, make_notebook("fit.ipynb", ["1"]))
        frames = [await page.until(of("jobs", "delta")) for page in pages]
        assert frames[0] == frames[1] == frames[2]

    async def test_nothing_comes_after_unsubscribing_and_the_feed_ends(
        self, server: Server, room: Any, make_notebook: MakeNotebook
    ) -> None:
        page, _ = await listening(server, "jobs")
        await page.say(type="unsubscribe", topic="jobs")
        await page.say(type="subscribe", topic="nothing")
        await page.until(lambda frame: frame["type"] == "trouble")
        assert room.broadcast.channels["jobs"]._task is None
        await room.run(submit, room, server, make_notebook("fit.ipynb", ["1"]))
        with pytest.raises(TimeoutError):
            await page.hear(wait=2 * feeds.JOBS_SECONDS)

    async def test_subscribing_again_gives_a_full_frame_again(self, server: Server) -> None:
        page, first = await listening(server, "jobs")
        await page.say(type="subscribe", topic="jobs")
        again = await page.until(of("jobs"))
        assert again == first

    async def test_a_silent_store_is_told_once_and_comes_back(
        self, server: Server, room: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feeds, "AFTER_TROUBLE_SECONDS", 0.1)
        page, _ = await listening(server, "jobs")
        with monkeypatch.context() as broken:

            def silent(revision: int) -> None:
                raise Unavailable("The index of jobs is locked.", code="store-locked")

            broken.setattr(room.workbench.store, "changed_since", silent)
            told = await page.until(lambda frame: frame["type"] == "trouble")
            assert (told["topic"], told["code"]) == ("jobs", "store-locked")
            with pytest.raises(TimeoutError):
                await page.hear(wait=1.0)

    async def test_a_jobs_page_without_the_right_to_jobs(
        self, server: Server, authorizer: type[RecordingAuthorizer]
    ) -> None:
        page = await server.page()
        authorizer.denied = {("read", "mlinfn:jobs")}
        await page.say(type="subscribe", topic="jobs")
        told = await page.until(lambda frame: True)
        assert (told["type"], told["topic"], told["code"]) == ("trouble", "jobs", "not-allowed")
        assert authorizer.asked == [("read", "mlinfn:live"), ("read", "mlinfn:jobs")]


def seen(page: Page) -> set[str]:
    found: set[str] = set()
    for frame in page.got:
        if frame.get("topic") == "jobs":
            data = frame["data"]
            found |= {job["id"] for job in data.get("jobs", data.get("changed", ()))}
    return found


async def test_a_running_job_is_followed_to_its_end(
    server: Server, make_notebook: MakeNotebook
) -> None:
    page, _ = await listening(server, "jobs")
    source = make_notebook("fit.ipynb", ["print('hello')"])
    job = (await server.ask("POST", "jobs", body={"source": source})).json["id"]
    states = []
    async with asyncio.timeout(90):
        while not states or states[-1] not in ("succeeded", "failed"):
            frame = await page.until(of("jobs", "delta"))
            states += [one["state"] for one in frame["data"]["changed"] if one["id"] == job]
    assert states[-1] == "succeeded"


async def test_environments_come_as_tasks(server: Server) -> None:
    page, full = await listening(server, "tasks")
    kernels = [
        kernel for one in full["data"]["environments"]["environments"] for kernel in one["kernels"]
    ]
    assert "python3" in kernels
    assert page.got[-1]["seq"] == full["seq"]


class TestGpus:
    @pytest.fixture
    def mlinfn_settings(self) -> dict[str, Any]:
        return {"gpus_simulated": True, "gpu_interval": 0.2}

    async def test_deltas_lead_to_what_rest_says(self, server: Server, room: Any) -> None:
        from jupyter_mlinfn.gpus.deltas import apply
        from jupyter_mlinfn.model.accelerators import GpuSnapshot

        page, full = await listening(server, "gpus")
        shown = GpuSnapshot.model_validate(full["data"])
        assert shown.simulated
        assert shown.accelerators
        number = full["seq"]
        for _ in range(5):
            frame = await page.until(of("gpus"))
            assert frame["seq"] == number + 1
            number = frame["seq"]
            assert frame["type"] == "delta"
            shown = apply(shown, frame["data"])
        asked = (await server.ask("GET", "gpus")).json
        assert [one["uuid"] for one in asked["accelerators"]] == [
            one.uuid for one in shown.accelerators
        ]
        uuid = shown.accelerators[0].uuid
        history = (await server.ask("GET", f"gpus/{uuid}/history")).json
        assert len(history["times"]) >= 5

    async def test_the_sampler_runs_while_somebody_watches(
        self, server: Server, room: Any, begin: frozenset[psutil.Process]
    ) -> None:
        def agents() -> int:
            return len(children_since(begin))

        assert agents() == 0
        first, _ = await listening(server, "gpus")
        second, _ = await listening(server, "gpus")
        assert agents() == 1
        first.socket.close()
        await second.until(of("gpus", "delta"))
        assert agents() == 1
        second.socket.close()
        async with asyncio.timeout(10):
            while room.sampler.running or agents():
                await asyncio.sleep(0.02)

    async def test_without_a_watcher_rest_takes_one_picture(self, server: Server) -> None:
        answer = (await server.ask("GET", "gpus")).json
        assert answer["simulated"] is True
        assert answer["accelerators"]


async def test_without_a_gpu_the_panel_is_told_so(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_mlinfn.gpus import sampler, snapshot

    for module in (sampler, snapshot):
        monkeypatch.setattr(module, "library_may_exist", lambda: False)
    _, full = await listening(server, "gpus")
    assert full["data"]["accelerators"] == []
    assert "no NVIDIA driver" in full["data"]["missing"]
    assert (await server.ask("GET", "gpus")).json["missing"] == full["data"]["missing"]
    history = (await server.ask("GET", "gpus/GPU-unknown/history")).json
    assert history["times"] == []


class TestIdle:
    @pytest.fixture
    def mlinfn_settings(self) -> dict[str, Any]:
        return {"live_idle_minutes": 2 / 60}

    async def test_a_page_nobody_uses_is_paused_then_closed(
        self, server: Server, room: Any
    ) -> None:
        page, _ = await listening(server, "jobs")
        paused = await page.until(lambda frame: frame["type"] == "paused")
        assert paused["reason"].endswith("Jobs go on.")
        assert await page.hear() is None
        assert page.socket.close_code == 4001
        assert room.broadcast.clients == set()
        assert room.broadcast.channels["jobs"]._task is None

    async def test_using_the_page_keeps_it_open(self, server: Server) -> None:
        page, _ = await listening(server, "jobs")
        for _ in range(8):
            await asyncio.sleep(0.4)
            await page.say(type="active")
            await page.say(type="subscribe", topic="jobs")
            assert (await page.until(lambda frame: True))["type"] == "full"

    async def test_listening_again_is_no_use_of_the_page(self, server: Server) -> None:
        page, _ = await listening(server, "jobs")
        async with asyncio.timeout(20):
            while page.socket.close_code is None:
                with suppress(WebSocketClosedError):
                    await page.say(type="subscribe", topic="jobs")
                await page.hear()
                await asyncio.sleep(0.05)
        assert page.socket.close_code == 4001


class TestNeverIdle:
    @pytest.fixture
    def mlinfn_settings(self) -> dict[str, Any]:
        return {"live_idle_minutes": 0.0}

    async def test_an_admin_can_switch_the_pause_off(self, server: Server) -> None:
        page, _ = await listening(server, "jobs")
        with pytest.raises(TimeoutError):
            await page.hear(wait=1.0)
        await page.say(type="subscribe", topic="jobs")
        assert (await page.until(of("jobs")))["type"] == "full"


async def test_a_page_that_does_not_read_is_dropped_and_the_others_are_not(
    server: Server, room: Any
) -> None:
    quick, _ = await listening(server, "jobs")
    slow, _ = await listening(server, "jobs")
    channel = room.broadcast.channels["jobs"]
    frame = json.dumps({"type": "trouble", "code": "test", "text": "x" * 60_000}).encode()
    for _ in range(400):  # more than the system's own buffers hold
        channel.tell(frame)
        assert (await quick.until(lambda frame: True))["code"] == "test"
        if len(room.broadcast.clients) == 1:
            break
    assert len(channel.listeners) == len(room.broadcast.clients) == 1
    while await slow.hear() is not None:
        pass
    assert slow.socket.close_code in (4002, None)  # what it had not read may hide the reason


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "[]",
        '{"type": "subscribe", "topic": "__class__"}',
        '{"type": "subscribe", "type": "active"}',
        "[" * 5000,
        b"\xff\xfe",
    ],
)
async def test_nonsense_is_answered_and_the_connection_goes_on(
    server: Server, message: str | bytes
) -> None:
    page = await server.page()
    await page.socket.write_message(message, binary=isinstance(message, bytes))
    assert (await page.until(lambda frame: True))["type"] == "trouble"
    await page.say(type="subscribe", topic="jobs")
    assert (await page.until(of("jobs")))["type"] == "full"


async def test_a_long_message_ends_the_connection(server: Server) -> None:
    page = await server.page()
    await page.socket.write_message(json.dumps({"type": "active", "x": "y" * 100_000}))
    assert await page.hear() is None


async def test_an_answer_nobody_asked_for_is_passed_over(server: Server) -> None:
    page = await server.page()
    await page.say(type="saved", request="guess", ok=True, path="../x")
    await page.say(type="subscribe", topic="jobs")
    assert (await page.until(lambda frame: True))["type"] == "full"
