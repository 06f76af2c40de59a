"""The hostile table through the door ``http``: a real server, a real client."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.hostile.table import HTTP_ROWS, HttpRow
from tests.jobs.workplace import code, write_notebook
from tests.server.fixtures import (
    authorizer,
    begin,
    end_of_all_processes,
    mlinfn_settings,
    nothing_starts,
    room,
    server,
)
from tests.server.serving import Server, children_since, login_cookie, problem_of

__all__ = [  # fixtures
    "authorizer", "begin", "end_of_all_processes", "mlinfn_settings", "nothing_starts",
    "room", "server",
]  # fmt: skip


@pytest.fixture
def root(server: Server) -> Path:
    """What the table says of the root."""
    folder = server.root
    write_notebook(folder / "n.ipynb", code("n = 1"))
    for name in ("sub", ".ssh", "folder.ipynb", "../root-secret"):
        (folder / name).mkdir()
    (folder / ".ssh" / "id").write_text("secret")
    write_notebook(folder.parent / "root-secret" / "s.ipynb", code("n = 1"))
    (folder / "way").symlink_to(folder.parent / "root-secret")
    os.mkfifo(folder / "pipe.ipynb")
    return folder


def everything_below(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


@pytest.mark.parametrize("row", HTTP_ROWS, ids=str)
async def test_hostile_http(
    row: HttpRow, server: Server, root: Path, room: Any, begin: frozenset[psutil.Process]
) -> None:
    headers = dict(row.headers)
    if headers.get("Cookie") == "@login":
        headers["Cookie"] = await login_cookie(server)
    before = everything_below(root)
    path, _, query = row.path.partition("?")
    reply = await server.ask(row.method, path, body=row.body, headers=headers, raw_query=query)
    assert 400 <= reply.status < 500, reply.body[:500]
    if reply.json is not None:  # verbs that HTTP itself does not know are refused by tornado
        document = problem_of(reply)
        fields = {problem["field"] for problem in document["problems"]}
        assert row.where is None or row.where in fields, document
        assert len(reply.body) < 10_000
    assert everything_below(root) == before
    assert (await room.run(room.workbench.store.counts)).total == 0
    assert room.workbench.folders.all() == []
    assert children_since(begin) == []
