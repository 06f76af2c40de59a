"""Comparing jobs by HTTP, and asking for an exact rerun."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.serving import Server, problem_of
from tests.server.test_jobs import ended, submit

pytestmark = pytest.mark.slow

MakeNotebook = Callable[..., str]


async def test_two_jobs_side_by_side(server: Server, make_notebook: MakeNotebook) -> None:
    source = make_notebook("work/fit.ipynb", ["print('rate is', rate)"], parameters="rate = 0.5")
    one = await submit(server, source, parameters={"rate": 0.25})
    two = await submit(server, source, parameters={"rate": 0.5})
    for job in (one, two):
        await ended(server, job["id"])
    reply = await server.ask("GET", f"jobs/{one['id']}/diff/{two['id']}")
    assert reply.status == 200, reply.body
    found = reply.json
    assert (found["a"]["id"], found["b"]["id"]) == (one["id"], two["id"])
    told = {part["name"]: part for part in found["sections"]}
    (rate,) = told["parameters"]["items"]
    assert (rate["standing"], rate["a"], rate["b"]) == ("changed", 0.25, 0.5)
    (printed,) = told["printed"]["items"]
    # numbered as in the person's notebook: the cell with the job's parameters does not count
    assert printed["name"] == told["code"]["items"][2]["name"] == "cell 2"
    assert printed["detail"] == ["-rate is 0.25", "+rate is 0.5"]
    alone = (await server.ask("GET", f"jobs/{one['id']}/diff/{one['id']}")).json
    assert alone["same_request"] is True
    assert alone["same_outputs"] is True


async def test_an_exact_rerun_is_told_in_the_record_or_refused(
    server: Server, make_notebook: MakeNotebook
) -> None:
    source = make_notebook("fit.ipynb", ["print(1)"])
    (server.root / "data.csv").write_text("1\n")
    first = await submit(server, source, inputs=["data.csv"], seed=3)
    await ended(server, first["id"])
    path = f"jobs/{first['id']}/rerun"
    again = await server.ask("POST", path, body={"exact": True})
    assert again.status == 201, again.body
    await ended(server, again.json["id"])
    details = (await server.ask("GET", f"jobs/{again.json['id']}")).json
    assert details["verdict"]["text"] == "Same output: the file is equal."
    assert details["spec"]["exact"] is True
    (server.root / "data.csv").write_text("2\n")
    refused = await server.ask("POST", path, body={"exact": True})
    assert refused.status == 403
    problem = problem_of(refused)
    assert problem["code"] == "not-exact"
    assert problem["problems"][0]["field"] == "inputs.0"
    changed = await server.ask("POST", path, body={"exact": True, "seed": 4})
    assert changed.status == 400


@pytest.mark.parametrize("name", ["aaaaaaaaaa", "..%2f..", "UPPERCASE1", "a"])
async def test_jobs_that_are_not_there(server: Server, name: str) -> None:
    assert (await server.ask("GET", f"jobs/{name}/diff/{name}")).status == 404


async def test_a_point_of_a_job_that_has_none(server: Server, make_notebook: MakeNotebook) -> None:
    job = await submit(server, make_notebook("fit.ipynb", ["1"]))
    path = f"jobs/{job['id']}/diff/{job['id']}"
    assert (await server.ask("GET", path, query={"a_point": "0"})).status in (400, 404)
    assert (await server.ask("GET", path, query={"a_point": "-1"})).status == 400
    await ended(server, job["id"])
