"""Long lists and bulk actions by HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.serving import Server, problem_of
from tests.server.test_jobs import submit

pytestmark = pytest.mark.slow

MakeNotebook = Callable[..., str]


@pytest.fixture
def many(make_notebook: MakeNotebook) -> list[str]:
    return [make_notebook(f"{name}.ipynb", ["1"]) for name in ("alpha", "beta", "gamma")]


@pytest.mark.usefixtures("nothing_starts")
class TestMany:
    async def test_a_list_is_filtered_grouped_and_counted(
        self, server: Server, many: list[str]
    ) -> None:
        jobs = [await submit(server, source) for source in many]
        await server.ask("POST", f"jobs/{jobs[2]['id']}/cancel", body={})
        reply = await server.ask(
            "GET", "jobs", query={"order": "groups", "backend": ["local", "x"], "limit": 2}
        )
        assert [job["source"] for job in reply.json["jobs"]] == ["beta.ipynb", "alpha.ipynb"]
        assert reply.json["matching"] == {"queued": 2, "cancelled": 1}
        assert reply.json["choices"] == {"backends": ["local"], "environments": ["python3"]}
        rest = await server.ask(
            "GET", "jobs", query={"order": "groups", "cursor": reply.json["next"]}
        )
        assert [job["source"] for job in rest.json["jobs"]] == ["gamma.ipynb"]
        late = await server.ask("GET", "jobs", query={"since": "2999-01-01T00:00:00Z"})
        assert late.json["jobs"] == []
        naive = await server.ask("GET", "jobs", query={"since": "2026-01-01T00:00:00"})
        assert problem_of(naive)["problems"][0]["field"] == "since"

    async def test_many_are_cancelled_run_again_and_deleted(
        self, server: Server, many: list[str]
    ) -> None:
        jobs = [(await submit(server, source))["id"] for source in many]
        wanted = {"matching": {"search": "alpha"}}
        cancelled = (await server.ask("POST", "jobs/bulk/cancel", body=wanted)).json
        assert [(one["id"], one["ok"]) for one in cancelled["results"]] == [(jobs[0], True)]
        assert cancelled["next"] is None

        click = {"Idempotency-Key": "click"}
        named = {"jobs": [jobs[0], jobs[1]]}
        first = await server.ask("POST", "jobs/bulk/delete", body=named)
        assert [one["code"] for one in first.json["results"]] == [None, "job-active"]
        again = {"matching": {"state": ["cancelled", "queued"]}}
        assert (await server.ask("POST", "jobs/bulk/rerun", body=again)).json["results"] == []
        await server.ask("POST", "jobs/bulk/cancel", body={"jobs": jobs[1:]})
        runs = [
            (await server.ask("POST", "jobs/bulk/rerun", body=again, headers=click)).json
            for _ in range(2)
        ]
        assert runs[0] == runs[1]
        assert len({one["made"] for one in runs[0]["results"]}) == 2
        assert (await server.ask("GET", "jobs")).json["counts"]["total"] == 4

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"jobs": []},
            {"jobs": ["abcdefghij"], "matching": {}},
            {"jobs": ["../../etc/x"]},
            {"jobs": ["abcdefghij"] * 201},
            {"matching": {"state": ["dead"]}},
            {"matching": {}, "cursor": "n1 OR 1=1"},
            {"matching": {"search": "x" * 5000}},
        ],
    )
    async def test_nothing_is_done_for_a_call_that_cannot_be_read(
        self, server: Server, many: list[str], body: dict[str, object]
    ) -> None:
        job = (await submit(server, many[0]))["id"]
        reply = await server.ask("POST", "jobs/bulk/cancel", body=body)
        assert reply.status == 400
        problem_of(reply)
        record = (await server.ask("GET", f"jobs/{job}")).json["job"]
        assert (record["state"], record["cancelling"]) == ("queued", False)
