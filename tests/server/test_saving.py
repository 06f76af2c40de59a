"""Having a notebook saved by the page that has it open, for the program and the magics."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_mlinfn.server import saving
from tests.server.serving import Page, RecordingAuthorizer, Server, problem_of

SAVE = "notebooks/save"


def runtime_file(server: Server) -> Path:
    return Path(server.app.runtime_dir) / f"mlinfn-{os.getpid()}.json"


@pytest.fixture
def notebook(server: Server) -> Path:
    path = server.root / "work" / "fit.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(), path)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.fixture
async def kernel(server: Server, notebook: Path) -> AsyncIterator[dict[str, Any]]:
    """A session as JupyterLab starts it; its kernel really runs."""
    session = {
        "path": "work/fit.ipynb",
        "name": "fit.ipynb",
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    reply = await server.fetch("POST", "api/sessions", body=json.dumps(session))
    assert reply.status == 201, reply.body
    yield reply.json
    await server.fetch("DELETE", f"api/sessions/{reply.json['id']}")


async def attached(server: Server) -> Page:
    """A page that is counted as attached when this returns."""
    page = await server.page()
    await page.say(type="subscribe", topic="nothing")
    await page.until(lambda frame: frame["type"] == "trouble")
    return page


async def answering(page: Page, **answer: Any) -> dict[str, Any]:
    """Wait for a request to save and answer it."""
    asked = await page.until(lambda frame: frame["type"] == "save")
    await page.say(type="saved", request=asked["request"], **answer)
    return asked


async def test_without_a_page_the_file_speaks_for_itself(server: Server, notebook: Path) -> None:
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"})
    assert reply.status == 200
    assert reply.json == {
        "path": "work/fit.ipynb",
        "saved_at": "2023-11-14T22:13:20Z",
        "saved_by": "disk",
    }


async def test_the_page_saves_the_notebook_of_a_kernel_also_after_a_rename(
    server: Server, notebook: Path, kernel: dict[str, Any]
) -> None:
    notebook.rename(server.root / "renamed.ipynb")
    renamed = {"path": "renamed.ipynb", "name": "renamed.ipynb", "type": "notebook"}
    changed = await server.fetch("PATCH", f"api/sessions/{kernel['id']}", body=json.dumps(renamed))
    assert changed.status == 200
    page = await attached(server)
    answer = asyncio.create_task(answering(page, ok=True, path="renamed.ipynb"))
    reply = await server.ask("POST", SAVE, body={"kernel_id": kernel["kernel"]["id"]})
    asked = await answer
    assert asked["kernel_id"] == kernel["kernel"]["id"]
    assert asked["path"] == "renamed.ipynb"
    assert reply.json["path"] == "renamed.ipynb"
    assert reply.json["saved_by"] == "lab"


async def test_a_page_that_cannot_save_stops_the_submit(server: Server, notebook: Path) -> None:
    page = await attached(server)
    answer = asyncio.create_task(answering(page, ok=False, error="The file has changed on disk."))
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"})
    await answer
    assert reply.status == 409
    document = problem_of(reply)
    assert document["code"] == "not-saved"
    assert "The file has changed on disk. Nothing" in document["detail"]


async def test_one_page_that_has_it_open_is_enough(server: Server, notebook: Path) -> None:
    pages = [await attached(server) for _ in range(3)]
    answers = [
        asyncio.create_task(answering(pages[0], ok=False, error="not-open")),
        asyncio.create_task(answering(pages[1], ok=True, path="RTC:work/fit.ipynb")),
    ]
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"})
    await asyncio.gather(*answers)
    assert reply.json["saved_by"] == "lab"
    assert reply.json["path"] == "work/fit.ipynb"


async def test_pages_that_do_not_have_it_open_are_not_waited_for(
    server: Server, notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "PATIENCE", 600.0)
    page = await attached(server)
    answer = asyncio.create_task(answering(page, ok=False, error="not-open"))
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"})
    await answer
    assert reply.json["saved_by"] == "disk"


async def test_a_page_that_goes_away_is_not_waited_for(
    server: Server, notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "PATIENCE", 600.0)
    page = await attached(server)
    asked = asyncio.create_task(server.ask("POST", SAVE, body={"path": "work/fit.ipynb"}))
    await page.until(lambda frame: frame["type"] == "save")
    page.socket.close()
    assert (await asked).json["saved_by"] == "disk"


async def test_a_silent_page_is_waited_for_a_while(
    server: Server, notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "PATIENCE", 0.2)
    await attached(server)
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"})
    assert reply.json["saved_by"] == "disk"


async def test_a_page_cannot_name_a_file_outside_the_root(server: Server, notebook: Path) -> None:
    page = await attached(server)
    answer = asyncio.create_task(answering(page, ok=True, path="../../etc/passwd"))
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"})
    await answer
    assert reply.status == 400
    assert problem_of(reply)["code"] == "outside-root"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad-input"),
        ({"path": "a.ipynb", "kernel_id": "b"}, 400, "bad-input"),
        ({"kernel_id": "no-such-kernel"}, 404, "no-such-kernel"),
        ({"kernel_id": "../x"}, 400, "bad-input"),
        ({"path": "nothing.ipynb"}, 404, "source-missing"),
        ({"path": "../x"}, 400, "outside-root"),
    ],
)
async def test_what_is_refused(
    server: Server, body: dict[str, str], status: int, code: str
) -> None:
    reply = await server.ask("POST", SAVE, body=body)
    assert reply.status == status
    assert problem_of(reply)["code"] == code


async def test_the_runtime_file_is_there_while_a_page_is_attached(server: Server) -> None:
    file = runtime_file(server)
    assert not file.exists()
    page = await attached(server)
    facts = file.stat()
    assert stat.S_IMODE(facts.st_mode) == 0o600
    content = json.loads(file.read_text())
    assert content["url"] == server.url
    assert content["root_dir"] == str(server.root)
    assert content["pid"] == os.getpid()
    second = await attached(server)
    page.socket.close()
    await second.say(type="subscribe", topic="nothing")
    await second.until(lambda frame: frame["type"] == "trouble")
    assert json.loads(file.read_text()) == content
    second.socket.close()
    async with asyncio.timeout(10):
        while file.exists():
            await asyncio.sleep(0.01)
    assert list(file.parent.glob("mlinfn-*")) == []


async def test_the_secret_opens_the_save_route_and_no_other(
    server: Server, notebook: Path, authorizer: type[RecordingAuthorizer]
) -> None:
    await attached(server)
    saving_patience, saving.PATIENCE = saving.PATIENCE, 0.1
    secret = json.loads(runtime_file(server).read_text())["secret"]
    headers = {"Authorization": None, "X-Mlinfn-Secret": secret}
    authorizer.asked.clear()
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"}, headers=headers)
    saving.PATIENCE = saving_patience
    assert reply.status == 200
    assert authorizer.asked == [("write", "mlinfn:notebooks")]
    for verb, path in (("GET", "jobs"), ("POST", "jobs"), ("GET", "doctor"), ("GET", "gpus")):
        assert (await server.ask(verb, path, headers=headers)).status == 403
    assert (await server.fetch("GET", "api/contents", headers=headers)).status == 403


@pytest.mark.parametrize("secret", ["", "wrong", "None", "ä", "x" * 5000])
async def test_a_wrong_secret_is_refused_even_with_the_token(
    server: Server, notebook: Path, secret: str
) -> None:
    headers = {"X-Mlinfn-Secret": secret}
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"}, headers=headers)
    assert reply.status == 403
    await attached(server)
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"}, headers=headers)
    assert reply.status == 403


async def test_the_secret_of_a_page_that_left_is_worth_nothing(
    server: Server, notebook: Path
) -> None:
    page = await attached(server)
    secret = json.loads(runtime_file(server).read_text())["secret"]
    page.socket.close()
    async with asyncio.timeout(10):
        while runtime_file(server).exists():
            await asyncio.sleep(0.01)
    headers = {"Authorization": None, "X-Mlinfn-Secret": secret}
    reply = await server.ask("POST", SAVE, body={"path": "work/fit.ipynb"}, headers=headers)
    assert reply.status == 403
