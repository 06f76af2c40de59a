"""Shared jobs by HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.server.serving import Server, problem_of
from tests.server.test_jobs import MakeNotebook, ended, submit


@pytest.fixture
def area(tmp_path: Path) -> Path:
    return tmp_path / "root" / "group"


@pytest.fixture
def mlinfn_settings(area: Path) -> dict[str, Any]:
    return {"shared_jobs": [str(area)]}


@pytest.mark.slow
async def test_a_run_is_shared_looked_at_and_run_again(
    server: Server, make_notebook: MakeNotebook, area: Path
) -> None:
    area.mkdir()
    source = make_notebook("work/fit.ipynb", ["print('rate is', rate)"], parameters="rate = 0.5")
    job = (await submit(server, source, backend="local"))["id"]
    assert (await ended(server, job))["state"] == "succeeded"
    shared = await server.ask("POST", f"jobs/{job}/share", body={})
    assert shared.status == 200, shared.body
    assert (shared.json["path"], shared.json["area"]) == (f"group/{job}", "group")
    found = (await server.ask("GET", "shared-jobs")).json
    assert [(one["id"], one["mine"]) for one in found["jobs"]] == [(job, True)]
    where = f"shared-jobs/group/{job}"
    told = (await server.ask("GET", where)).json
    assert told["details"]["spec"]["token"] == ""
    assert [one["path"] for one in told["outputs"]] == ["outputs/fit.ipynb"]
    assert "rate is 0.5" in (await server.ask("GET", f"{where}/log")).json["text"]
    assert "rate is 0.5" in str((await server.ask("GET", f"{where}/notebook")).json["content"])

    again = await server.ask("POST", f"{where}/rerun", body={"parameters": {"rate": 0.7}})
    assert again.status == 201, again.body
    assert again.json["source"] == f"shared/fit-{job}/fit.ipynb"
    assert (await ended(server, again.json["id"]))["state"] == "succeeded"
    diff = (await server.ask("GET", f"{where}/diff/{again.json['id']}")).json
    assert (diff["a"]["id"], diff["b"]["id"]) == (job, again.json["id"])
    assert "parameters (rate)" in diff["text"]

    for path, status in (
        (f"shared-jobs/other/{job}", 404),
        ("shared-jobs/group/aaaaaaaaaa", 404),
        ("shared-jobs/group/..", 404),
        (f"shared-jobs/..%2Fgroup/{job}", 404),
        (f"{where}/diff/..", 404),
    ):
        assert (await server.ask("GET", path)).status == status, path
    out = await server.ask("POST", f"{where}/rerun", body={"into": "../out"})
    assert (out.status, problem_of(out)["code"]) == (400, "outside-root")
    gone = await server.ask("POST", f"jobs/{job}/unshare", body={"area": "group"})
    assert gone.status == 204
    assert (await server.ask("GET", "shared-jobs")).json["jobs"] == []
    again = await server.ask("POST", f"jobs/{job}/unshare", body={})
    assert (again.status, problem_of(again)["code"]) == (404, "not-shared")


@pytest.mark.slow
async def test_a_sweep_is_shared_with_its_points(
    server: Server, make_notebook: MakeNotebook, area: Path
) -> None:
    area.mkdir()
    source = make_notebook("work/fit.ipynb", ["print('rate is', rate)"], parameters="rate = 0.5")
    axes = {"axes": {"rate": [1.5, 2.5]}}
    job = (await submit(server, source, backend="local", sweep=axes))["id"]
    assert (await ended(server, job))["state"] == "succeeded"
    shared = await server.ask("POST", f"jobs/{job}/share", body={})
    assert (shared.status, shared.json["sweep"]["succeeded"]) == (200, 2), shared.body
    where = f"shared-jobs/group/{job}/points"
    asked = {"sort": "rate", "order": "desc", "limit": "1"}
    page = (await server.ask("GET", where, query=asked)).json
    assert [one["parameters"] for one in page["points"]] == [{"rate": 2.5}]
    assert (page["matching"], page["next"], page["points"][0]["output"]) == (2, "p1", None)
    csv = await server.ask("GET", f"{where}.csv")
    assert b"\n1,succeeded,2.5," in csv.body
    assert "rate is 2.5" in (await server.ask("GET", f"{where}/1/log")).json["text"]
    for path in (f"{where}/2/log", f"{where}/x/log"):
        assert (await server.ask("GET", path)).status == 404, path
    assert (await server.ask("GET", where, query={"sort": "q"})).status == 400
    again = await server.ask("POST", f"shared-jobs/group/{job}/rerun", body={"points": "failed"})
    assert (again.status, problem_of(again)["code"]) == (400, "no-points")


async def test_without_an_area_it_says_so(server: Server) -> None:
    found = (await server.ask("GET", "shared-jobs")).json
    assert (found["jobs"], found["areas"]) == ([], [])
