"""Buckets by HTTP, on real stores: looking, saving, putting, deleting; hostile questions."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest

from jupyter_mlinfn.model.storage import MAX_PIECE
from jupyter_mlinfn.storage.bucket.buckets import Buckets
from tests.server.fixtures import (
    authorizer,
    begin,
    end_of_all_processes,
    make_notebook,
    mlinfn_settings,
    nothing_starts,
    room,
    server,
)
from tests.server.serving import Server, login_cookie, problem_of
from tests.storage.bucket.conftest import GivenKeys, Store

__all__ = [
    "authorizer",
    "begin",
    "end_of_all_processes",
    "make_notebook",
    "mlinfn_settings",
    "nothing_starts",
    "room",
    "server",
]

pytestmark = pytest.mark.system


@pytest.fixture
def bucket(server: Server, room: Any, store: Store) -> Server:
    """A server whose areas are a bucket, the same for reading alone, and a folder."""
    area = store.area("http").model_copy(update={"name": "objects"})
    reading = area.model_copy(update={"name": "reading", "writable": False})
    room.workbench.settings.areas = [area.model_dump(), reading.model_dump(), {
        "name": "folder", "title": "Folder", "kind": "private", "path": str(server.root),
        "writable": True, "survives": True, "audience": "you",
    }]  # fmt: skip
    room.workbench.storage.buckets = Buckets(GivenKeys(store.keys))
    return server


async def put(server: Server, path: str, *pieces: bytes, replace: bool = False) -> int:
    """Upload in pieces; the status of the last answer."""
    begun = await server.ask(
        "POST", "areas/objects/uploads", body={"path": path, "replace": replace}
    )
    if begun.status != 201:
        return begun.status
    upload = {"path": path, "id": begun.json["id"]}
    stored = []
    for number, piece in enumerate(pieces, 1):
        sent = {**upload, "number": number, "content": base64.b64encode(piece).decode()}
        answer = await server.ask("POST", "areas/objects/uploads/piece", body=sent)
        assert answer.status == 200, answer.body
        stored.append(answer.json)
    ended = await server.ask("POST", "areas/objects/uploads/end", body={**upload, "pieces": stored})
    return ended.status


async def names(server: Server, **query: str) -> list[str]:
    answer = await server.ask("GET", "areas/objects/objects", query=query)
    assert answer.status == 200, answer.body
    return [f"{one['kind']} {one['name']}" for one in answer.json["entries"]]


async def test_a_file_goes_in_piece_by_piece_and_comes_out_the_same(bucket: Server) -> None:
    whole = os.urandom(MAX_PIECE) + b"the rest"
    path = "runs/<img> ü.bin"
    assert await put(bucket, path, whole[:MAX_PIECE], whole[MAX_PIECE:]) == 204
    assert await put(bucket, path, b"again") == 409
    assert await names(bucket) == ["folder runs"]
    assert await names(bucket, path="runs") == ["object <img> ü.bin"]
    assert await names(bucket, path="runs", search="x") == []
    got = await bucket.ask("GET", "areas/objects/objects/content", query={"path": path})
    assert (got.status, len(got.body)) == (200, len(whole))
    assert got.body == whole
    assert got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''%3Cimg%3E")
    assert "sandbox" in got.headers["Content-Security-Policy"]
    cookie = await login_cookie(bucket)
    browser = {"Authorization": None, "Cookie": cookie, "Referer": bucket.url}
    got = await bucket.ask(
        "GET", "areas/objects/objects/content", query={"path": path}, headers=browser
    )
    assert got.body == whole, "a link in a page cannot save it"
    assert await put(bucket, path, b"", replace=True) == 204
    got = await bucket.ask("GET", "areas/objects/objects/content", query={"path": path})
    assert (got.status, got.body) == (200, b"")
    gone = await bucket.ask("DELETE", "areas/objects/objects", query={"path": path})
    assert gone.status == 204
    assert await names(bucket) == []


async def test_an_upload_that_is_given_up_leaves_nothing(bucket: Server) -> None:
    assert await put(bucket, "given-up") == 204
    assert await names(bucket) == []


async def test_hostile_questions(bucket: Server, store: Store) -> None:
    store.put("other/x", b"another's")
    store.put("http/mine", b"1")
    upload = {"path": "x", "id": "x"}
    for verb, path, query, sent, status in (
        ("GET", "areas/none/objects", {}, None, 404),
        ("GET", "areas/folder/objects", {}, None, 404),
        ("GET", "areas/objects/objects", {"path": "../other"}, None, 400),
        ("GET", "areas/objects/objects", {"path": "/"}, None, 400),
        ("GET", "areas/objects/objects", {"endpoint": "http://127.0.0.1:1"}, None, 400),
        ("GET", "areas/objects/objects/content", {"path": "../other/x"}, None, 400),
        ("GET", "areas/objects/objects/content", {"path": "none"}, None, 404),
        ("GET", "areas/objects/objects/content", {}, None, 400),
        ("DELETE", "areas/objects/objects", {"path": "a/../../other/x"}, None, 400),
        ("DELETE", "areas/objects/objects", {"path": ""}, None, 400),
        ("DELETE", "areas/reading/objects", {"path": "mine"}, None, 403),
        ("POST", "areas/reading/uploads", {}, {"path": "x"}, 403),
        ("POST", "areas/objects/uploads", {}, {"path": "../other/y"}, 400),
        ("POST", "areas/objects/uploads", {}, {"path": "a\0b"}, 400),
        ("POST", "areas/objects/uploads", {}, {"path": "x" * 1025}, 400),
        ("POST", "areas/objects/uploads", {}, {"path": "x", "endpoint": "http://x"}, 400),
        ("POST", "areas/objects/uploads/end", {}, {**upload, "pieces": [{"number": 0}]}, 400),
        ("POST", "areas/objects/uploads/piece", {}, {**upload, "number": 1, "content": "?"}, 400),
        ("POST", "areas/objects/uploads/piece", {}, {**upload, "number": 1, "content": "eA=="},
         None),
    ):  # fmt: skip
        reply = await bucket.ask(verb, path, query=query, body=sent)
        assert reply.status == status or (status is None and reply.status >= 400), (path, reply)
        problem_of(reply)
        assert store.keys.secret not in reply.body.decode()
    assert store.bucket("other").read("x").size == 9
    assert await names(bucket) == ["object mine"]
