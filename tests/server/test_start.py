"""What the extension costs before anybody asks, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.server.serving import Server, children_since

HEAVY = ("pydantic", "sqlalchemy", "alembic", "nbclient", "pynvml", "psutil")


def test_loading_the_extension_imports_nothing_heavy() -> None:
    code = (
        "import sys, jupyter_server.serverapp, jupyter_server.extension.application\n"
        "before = set(sys.modules)\n"
        "import jupyter_mlinfn\n"
        "jupyter_mlinfn._jupyter_server_extension_points()\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    new = subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "jupyter_mlinfn.server.app" in new
    assert not {name.partition(".")[0] for name in new} & set(HEAVY)
    rooms = {name.split(".")[1] for name in new if name.startswith("jupyter_mlinfn.")}
    assert rooms == {"server"}


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mlinfn")]


async def test_nothing_starts_before_the_first_client(
    server: Server, room: Any, own_folders: Path, begin: frozenset[psutil.Process]
) -> None:
    await server.fetch("GET", "api/status")
    await asyncio.sleep(0.1)
    assert ours() == []
    assert children_since(begin) == []
    assert room._workbench is None
    assert room._broadcast is None
    assert not (own_folders / "data" / "mlinfn").exists()
    assert list((own_folders / "runtime").glob("mlinfn*")) == []


async def test_stopping_ends_everything_that_clients_started(
    server: Server, room: Any, own_folders: Path, begin: frozenset[psutil.Process]
) -> None:
    page = await server.page()
    for topic in ("gpus", "jobs", "tasks"):
        await page.say(type="subscribe", topic=topic)
    await page.until(lambda frame: frame["type"] == "full")
    assert ours()
    app = server.app.extension_manager.extension_apps["jupyter_mlinfn"]
    async with asyncio.timeout(5):
        for extension in app:
            await extension.stop_extension()
        assert await page.hear() is None or page.socket.close_code == 1001
        while ours() or children_since(begin):
            await asyncio.sleep(0.02)
    assert list((own_folders / "runtime").glob("mlinfn*")) == []


class TestConfiguration:
    @pytest.fixture
    def mlinfn_settings(self, own_folders: Path) -> dict[str, Any]:
        file = own_folders / "config" / "jupyter_mlinfn_config.py"
        file.write_text("c.Mlinfn.live_idle_minutes = 7.5\nc.Mlinfn.job_cpus = 3\n")
        return {"job_cpus": 2}

    async def test_its_own_file_is_read_and_the_command_line_wins(
        self, server: Server, room: Any
    ) -> None:
        settings = (await room.run(lambda: room.workbench)).settings
        assert settings.live_idle_minutes == 7.5
        assert settings.job_cpus == 2


async def test_answers_are_not_counted_as_activity_when_they_are_polled(server: Server) -> None:
    def last() -> Any:
        return server.app.web_app.settings.get("api_last_activity")

    before = last()
    await server.ask("GET", "jobs/abcdefghij/log")
    await server.ask("GET", "jobs", query={"limit": "0"})
    page = await server.page()
    await page.say(type="subscribe", topic="jobs")
    assert last() == before
    await server.ask("POST", "jobs/abcdefghij/cancel")
    assert last() != before
