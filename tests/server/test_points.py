"""The points of a sweep by HTTP."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.server.serving import Server, problem_of
from tests.server.test_jobs import MakeNotebook, ended, submit

CELL = "lr = 0.1"
RECORD = "import mlinfn; mlinfn.record(loss=2 * lr); print('lr is', lr)"


@pytest.mark.slow
async def test_a_sweep_fills_its_table(server: Server, make_notebook: MakeNotebook) -> None:
    source = make_notebook("work/fit.ipynb", [RECORD], parameters=CELL)
    (server.root / "work" / "points.csv").write_text("lr\n0.5\n0.25\n")
    asked = {"sweep": {"file": "points.csv", "throttle": 2}, "backend": "local"}
    draft = await server.ask("POST", "jobs/draft", body={"source": source, **asked})
    assert draft.json["sweep"] == {
        "points": 2, "varied": ["lr"], "first": [{"lr": 0.5}, {"lr": 0.25}],
    }  # fmt: skip
    record = await submit(server, source, **asked)
    assert record["sweep"]["points"] == 2
    done = await ended(server, record["id"])
    assert done["state"] == "succeeded"
    assert done["sweep"]["succeeded"] == 2
    points = f"jobs/{record['id']}/points"
    page = (await server.ask("GET", points, query={"sort": "loss"})).json
    assert [point["values"] for point in page["points"]] == [{"loss": 0.5}, {"loss": 1.0}]
    assert page["columns"] == {"parameters": ["lr"], "values": ["loss"]}
    assert str(server.root) not in page["points"][0]["output"]
    table = await server.ask("GET", f"{points}.csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    assert [row["loss"] for row in csv.DictReader(io.StringIO(table.body.decode()))] == [
        "1.0",
        "0.5",
    ]
    log = (await server.ask("GET", f"{points}/1/log")).json
    assert "lr is 0.25" in log["text"]
    notebook = (await server.ask("GET", f"{points}/1/notebook")).json
    assert notebook["final"] is True
    assert "lr is 0.25" in str(notebook["content"]["cells"])
    again = await server.ask("POST", f"jobs/{record['id']}/rerun", body={"points": [1]})
    assert again.status == 201
    assert again.json["sweep"]["points"] == 1
    await server.ask("POST", f"jobs/{again.json['id']}/points/0/cancel")
    await ended(server, again.json["id"])
    failed = await server.ask("POST", f"jobs/{record['id']}/rerun", body={"points": "failed"})
    assert (failed.status, problem_of(failed)["code"]) == (400, "no-points")
    for bad, status in (
        (f"{points}/2/log", 404),
        (f"{points}/2/notebook", 404),
        (f"{points}/../notebook", 404),
        (f"{points}/-1/log", 404),
        (f"{points}/１/log", 404),
        (f"{points}?sort=no'thing", 400),
        (f"{points}?limit=100000", 400),
        (f"{points}?cursor=x", 400),
        ("jobs/aaaaaaaaaa/points", 404),
    ):
        path, _, text = bad.partition("?")
        query = dict([text.split("=")]) if text else None
        assert (await server.ask("GET", path, query=query)).status == status, bad


@pytest.mark.parametrize(
    "sweep",
    [
        {"file": "../outside.csv"},
        {"file": "/etc/passwd"},
        {"raw_axes": {"lr": "0..10000000"}},
        {"raw_axes": {"x\n#SBATCH": "1"}},
        {"axes": {"lr": 5}},
        {"throttle": 0, "raw_axes": {"lr": "1"}},
        {"rows": [{"lr": 1}] * 10_001},
        [],
    ],
)
async def test_hostile_sweeps_are_refused(
    server: Server, make_notebook: MakeNotebook, sweep: Any
) -> None:
    source = make_notebook("work/fit.ipynb", [RECORD], parameters=CELL)
    (server.root.parent / "outside.csv").write_text("lr\n1\n")
    reply = await server.ask("POST", "jobs", body={"source": source, "sweep": sweep})
    assert reply.status in (400, 403, 404), reply.body
    assert b"Traceback" not in reply.body
    assert (await server.ask("GET", "jobs")).json["jobs"] == []
