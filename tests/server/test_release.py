"""Letting a held job go, by HTTP; what happens to a job that is held is tested on a real pool."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.serving import Server, problem_of

MakeNotebook = Callable[..., str]


@pytest.mark.parametrize(
    "body",
    [
        {"memory": 0},
        {"memory": "4GiB"},
        {"time": -1},
        {"cpus": 1.5},
        {"disk": True},
        {"gpus": 1},
        {"memory": 2**60},
        [],
    ],
)
async def test_what_cannot_be_asked_for_is_refused(server: Server, body: object) -> None:
    reply = await server.ask("POST", "jobs/aaaaaaaaaa/release", body=body)
    assert reply.status == 400, reply.body
    assert problem_of(reply)


async def test_only_a_held_job_is_let_go(server: Server, make_notebook: MakeNotebook) -> None:
    reply = await server.ask("POST", "jobs/aaaaaaaaaa/release", body={})
    assert reply.status == 404, reply.body
    source = make_notebook("held.ipynb", ["1"])
    sent = await server.ask("POST", "jobs", body={"source": source, "backend": "local"})
    assert sent.status == 201, sent.body
    job = sent.json["id"]
    reply = await server.ask("POST", f"jobs/{job}/release", body={"memory": 2**30})
    assert reply.status == 409, reply.body
    assert problem_of(reply)["code"] == "not-held"
    details = await server.ask("GET", f"jobs/{job}")
    assert (details.json["release"], details.json["amendments"]) == (None, [])
