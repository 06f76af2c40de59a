"""Storage areas by HTTP."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.server.serving import Server, problem_of
from tests.storage.conftest import Shelf

AWAY = {"name": "away", "path": "/usr"}


@pytest.fixture
def mlinfn_settings(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    if getattr(request, "param", None) == "none":
        return {}
    told = Shelf(tmp_path / "root" / "group")
    return {"areas": [area.model_dump() for area in (told.area(), told.area(**AWAY))]}


@pytest.fixture
def shelf(server: Server) -> Shelf:
    return Shelf(server.root / "group").fill()


@pytest.mark.parametrize("mlinfn_settings", ["none"], indirect=True)
async def test_without_settings_the_servers_own_folder(server: Server) -> None:
    (area,) = (await server.ask("GET", "areas")).json["areas"]
    assert (area["area"]["name"], area["state"], area["place"]) == ("private", "ready", "")
    assert area["area"]["path"] == str(server.root)
    assert area["use"]["of"] == "file system"
    assert (await server.ask("GET", "areas/private/backups")).status == 404


async def test_areas_notes_and_the_way_back_of_what_was_deleted(
    server: Server, shelf: Shelf
) -> None:
    copy = shelf.copy().copy.id
    shutil.rmtree(shelf.path / "analysis")
    found = (await server.ask("GET", "areas")).json["areas"]
    assert [(one["place"], one["copies"]) for one in found] == [("group/collab", 1), (None, 1)]

    note = await server.ask("POST", "areas/collab/notes", body={"text": "fits", "path": "analysis"})
    assert note.status == 201, note.body
    (area, _) = (await server.ask("GET", "areas")).json["areas"]
    assert [one["text"] for one in area["notes"]] == ["fits"]
    assert (await server.ask("DELETE", f"areas/collab/notes/{note.json['id']}")).status == 204

    copies = (await server.ask("GET", "areas/collab/backups")).json["copies"]
    assert [one["id"] for one in copies] == [copy]
    (gone,) = (await server.ask("GET", f"areas/collab/backups/{copy}/deleted")).json["entries"]
    inside = await server.ask("GET", f"areas/collab/backups/{copy}", query={"path": gone["path"]})
    assert [one["name"] for one in inside.json["entries"]] == ["fit.py"]
    begun = await server.ask(
        "POST", "areas/collab/restore",
        body={"copy_id": copy, "path": gone["path"], "where": "back"},
    )  # fmt: skip
    assert begun.status == 202, begun.body
    task = begun.json
    told = (await server.ask("GET", "areas")).json["restores"]
    assert [one["id"] for one in told] == [task["id"]]
    while task["state"] == "running":
        await asyncio.sleep(0.02)
        task = (await server.ask("GET", f"restores/{task['id']}")).json
    assert (task["state"], task["result"]) == ("done", "analysis")
    assert (shelf.path / "analysis" / "fit.py").is_file()
    ended = await server.ask("POST", f"restores/{task['id']}/cancel")
    assert (ended.status, ended.json["state"]) == (200, "done")


async def test_hostile_questions(server: Server, shelf: Shelf) -> None:
    copy = shelf.copy().copy.id
    body = {"copy_id": copy, "path": "notes.txt", "where": "back"}
    for verb, path, sent, status in (
        ("GET", "areas/none/backups", None, 404),
        ("GET", "areas/..%2Fcollab/backups", None, 404),
        ("GET", "areas/collab/backups/..", None, 404),
        ("GET", f"areas/none/backups/{copy}", None, 404),
        ("GET", f"areas/collab/backups/{copy}?path=../..", None, 400),
        ("GET", f"areas/collab/backups/{copy}?path=%252e%252e", None, 400),
        ("GET", f"areas/collab/backups/{copy}?path=none", None, 404),
        ("POST", "areas/collab/restore", {**body, "path": "../notes.txt"}, 400),
        ("POST", "areas/collab/restore", {**body, "copy_id": "../copies"}, 400),
        ("POST", "areas/collab/restore", {**body, "where": "/etc"}, 400),
        ("POST", "areas/none/restore", body, 404),
        ("POST", "areas/collab/notes", {"text": "x" * 301}, 400),
        ("POST", "areas/collab/notes", {"text": ["x"]}, 400),
        ("POST", "areas/collab/notes", [], 400),
        ("DELETE", "areas/collab/notes/..%2F..%2Fnotes.txt", None, 404),
        ("GET", "restores/none", None, 404),
    ):
        where, _, query = path.partition("?")
        reply = await server.ask(verb, where, body=sent, raw_query=query)
        assert reply.status == status, (path, reply.body)
        problem_of(reply)
    assert sorted(path.name for path in shelf.path.iterdir()) == ["analysis", "notes.txt"]
