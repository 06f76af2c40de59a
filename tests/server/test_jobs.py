"""Jobs by HTTP, on the real capabilities."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.server import jobs as job_routes
from tests.server.serving import Server, problem_of

pytestmark = pytest.mark.slow

MakeNotebook = Callable[..., str]


async def submit(server: Server, source: str, **more: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": more.pop("key")} if "key" in more else None
    reply = await server.ask("POST", "jobs", body={"source": source, **more}, headers=headers)
    assert reply.status == 201, reply.body
    record: dict[str, Any] = reply.json
    return record


async def ended(server: Server, job: str, wait: float = 90.0) -> dict[str, Any]:
    """The record of a job that has ended."""
    until = time.monotonic() + wait
    while True:
        reply = await server.ask("GET", f"jobs/{job}")
        assert reply.status == 200, reply.body
        record: dict[str, Any] = reply.json["job"]
        if record["state"] in ("succeeded", "failed", "cancelled"):
            return record
        assert time.monotonic() < until, record
        await asyncio.sleep(0.2)


async def test_the_form_says_all_a_form_needs(server: Server, make_notebook: MakeNotebook) -> None:
    source = make_notebook("work/fit.ipynb", ["print(rate)"], parameters="rate = 0.5  # per s")
    reply = await server.ask("GET", "jobs/form", query={"source": source})
    assert reply.status == 200, reply.body
    form = reply.json
    assert form["source"] == form["defaults"]["source"] == "work/fit.ipynb"
    assert [(one["name"], one["kind"], one["default"]) for one in form["parameters"]] == [
        ("rate", "float", 0.5)
    ]
    assert "python3" in [kernel["name"] for kernel in form["kernels"]]
    assert form["remembered"] is False
    assert str(server.root) not in reply.body.decode()


async def test_a_draft_says_all_problems_and_submits_nothing(
    server: Server, make_notebook: MakeNotebook
) -> None:
    source = make_notebook("fit.ipynb", ["print(rate)"], parameters="rate = 0.5")
    good = (await server.ask("POST", "jobs/draft", body={"source": source})).json
    assert good["ok"] is True
    assert good["forecast"]["text"]
    assert good["output_folder"].startswith("results/")
    bad = await server.ask(
        "POST",
        "jobs/draft",
        body={"source": source, "raw_parameters": {"rate": "fast"}, "environment": "no-such"},
    )
    assert bad.status == 200
    assert bad.json["ok"] is False
    assert len(bad.json["problems"]) == 2
    assert (await server.ask("GET", "jobs")).json["jobs"] == []


async def test_a_job_from_submit_to_its_end(server: Server, make_notebook: MakeNotebook) -> None:
    source = make_notebook("work/fit.ipynb", ["print('rate is', rate)"], parameters="rate = 0.5")
    job = await submit(server, source, parameters={"rate": 0.25})
    assert job["source"] == "work/fit.ipynb"
    assert job["state"] in ("queued", "starting", "running")
    record = await ended(server, job["id"])
    assert record["state"] == "succeeded", record
    assert record["output"].startswith("work/results/")
    output = nbformat.read(server.root / record["output"], as_version=4)
    assert "rate is 0.25" in json.dumps(output)

    log = (await server.ask("GET", f"jobs/{job['id']}/log")).json
    assert "rate is 0.25" in log["text"]
    assert log["ended"] is True
    rest = (await server.ask("GET", f"jobs/{job['id']}/log", query={"start": log["next"]})).json
    assert rest["text"] == ""

    shown = await server.ask("GET", f"jobs/{job['id']}/notebook")
    assert shown.headers["Content-Type"] == "application/json"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.json["final"] is True
    assert shown.json["content"]["nbformat"] == 4

    kernel = await server.ask("POST", f"jobs/{job['id']}/kernel", body={})
    assert kernel.json["kernel_name"] == "python3"
    assert kernel.json["folder"] == "work"

    details = (await server.ask("GET", f"jobs/{job['id']}")).json
    assert details["spec"]["token"] == ""
    assert details["spec"]["workdir"] == "work"
    assert details["attempts"][0]["state"] == "succeeded"

    again = await server.ask("POST", f"jobs/{job['id']}/rerun", body={"parameters": {"rate": 3.0}})
    assert again.status == 201, again.body
    assert again.json["rerun_of"] == job["id"]
    assert again.json["parameters"] == {"rate": 3.0}
    assert (await ended(server, again.json["id"]))["state"] == "succeeded"

    plan = (await server.ask("POST", "jobs/cleanup", body={"older_than": 0})).json
    assert plan["done"] is False
    assert {item["id"] for item in plan["items"]} == {job["id"], again.json["id"]}
    assert (await server.ask("DELETE", f"jobs/{job['id']}")).status == 204
    gone = await server.ask("GET", f"jobs/{job['id']}")
    assert gone.status == 404
    assert (server.root / record["output"]).exists(), "deleting a job keeps its results"


@pytest.mark.usefixtures("nothing_starts")
class TestQueued:
    async def test_one_click_is_one_job(self, server: Server, make_notebook: MakeNotebook) -> None:
        source = make_notebook("fit.ipynb", ["1"])
        clicks = [submit(server, source, key="click-1") for _ in range(4)]
        first, *rest = await asyncio.gather(*clicks)
        assert {job["id"] for job in rest} == {first["id"]}
        assert (await submit(server, source, key="click-2"))["id"] != first["id"]
        page = (await server.ask("GET", "jobs")).json
        assert page["counts"]["total"] == 2

    async def test_pages_filter_and_search(
        self, server: Server, make_notebook: MakeNotebook
    ) -> None:
        for name in ("alpha", "beta", "gamma"):
            await submit(server, make_notebook(f"{name}.ipynb", ["1"]))
        first = (await server.ask("GET", "jobs", query={"limit": 2})).json
        assert [job["source"] for job in first["jobs"]] == ["gamma.ipynb", "beta.ipynb"]
        second = (await server.ask("GET", "jobs", query={"cursor": first["next"]})).json
        assert [job["source"] for job in second["jobs"]] == ["alpha.ipynb"]
        assert second["next"] is None
        found = (await server.ask("GET", "jobs", query={"search": "bet"})).json
        assert [job["source"] for job in found["jobs"]] == ["beta.ipynb"]
        none = (await server.ask("GET", "jobs", query={"state": ["failed", "running"]})).json
        assert none["jobs"] == []
        forged = await server.ask("GET", "jobs", query={"cursor": "n1 OR 1=1"})
        assert problem_of(forged)["code"] == "bad-cursor"

    async def test_cancel_then_delete(self, server: Server, make_notebook: MakeNotebook) -> None:
        job = await submit(server, make_notebook("fit.ipynb", ["1"]))
        active = await server.ask("DELETE", f"jobs/{job['id']}")
        assert active.status == 409
        assert problem_of(active)["code"] == "job-active"
        cancelled = await server.ask("POST", f"jobs/{job['id']}/cancel", body={})
        assert cancelled.status == 200, cancelled.body
        assert cancelled.json["state"] == "cancelled"
        assert (await server.ask("DELETE", f"jobs/{job['id']}")).status == 204

    async def test_a_job_of_a_terminal_outside_the_root_is_shown_as_it_is(
        self, server: Server, room: Any, tmp_path: Path, make_notebook: MakeNotebook
    ) -> None:
        from jupyter_mlinfn.model.jobs import JobRequest

        make_notebook("fit.ipynb", ["1"])
        outside = tmp_path / "elsewhere" / "fit.ipynb"
        outside.parent.mkdir()
        (server.root / "fit.ipynb").rename(outside)
        request = JobRequest(source=str(outside))
        await room.run(room.workbench.submission.submit, request)
        (job,) = (await server.ask("GET", "jobs")).json["jobs"]
        assert job["source"] == str(outside)
        kernel = (await server.ask("POST", f"jobs/{job['id']}/kernel")).json
        assert kernel["folder"] == str(outside.parent)

    async def test_nothing_is_hashed_on_the_event_loop(
        self, server: Server, make_notebook: MakeNotebook
    ) -> None:
        """An ETag of 60 MiB takes 0.1 s there, for an answer that no cache may keep."""
        job = await submit(server, make_notebook("fit.ipynb", ["1"]))
        reply = await server.ask("GET", f"jobs/{job['id']}/notebook")
        assert reply.status == 200
        assert "Etag" not in reply.headers

    async def test_a_notebook_that_is_too_large_is_not_sent(
        self, server: Server, make_notebook: MakeNotebook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = await submit(server, make_notebook("fit.ipynb", ["x = 1  # " + "x" * 2000]))
        monkeypatch.setattr(job_routes, "MAX_NOTEBOOK", 1000)
        reply = await server.ask("GET", f"jobs/{job['id']}/notebook")
        assert reply.status == 409
        assert problem_of(reply)["code"] == "too-large"

    async def test_hostile_names_come_back_as_text(
        self, server: Server, make_notebook: MakeNotebook
    ) -> None:
        source = make_notebook("fit.ipynb", ["1"])
        for name in ("--wrap=id", "<img src=x onerror=alert(1)>", "$(id)", "`id`", "a; id"):
            job = await submit(server, source, name=name)
            assert job["name"] == name
            details = await server.ask("GET", f"jobs/{job['id']}")
            assert details.json["job"]["name"] == name
            assert details.headers["Content-Type"] == "application/json"

    async def test_inputs_and_outputs_stay_inside(
        self, server: Server, make_notebook: MakeNotebook
    ) -> None:
        source = make_notebook("work/fit.ipynb", ["1"])
        (server.root / "work" / "data.csv").write_text("1,2")
        job = await submit(server, source, inputs=["data.csv"], outputs=["*.png"])
        details = (await server.ask("GET", f"jobs/{job['id']}")).json
        assert [one["path"] for one in details["spec"]["files"] if one["role"] == "input"] == [
            "data.csv"
        ]
        for more, field in (
            ({"inputs": ["../../secret"]}, "inputs.0"),
            ({"inputs": ["/etc/passwd"]}, "inputs.0"),
            ({"outputs": ["../../*"]}, "outputs.0"),
            ({"outputs": ["ok/*", "/etc/*"]}, "outputs.1"),
        ):
            reply = await server.ask("POST", "jobs", body={"source": source, **more})
            assert reply.status == 400
            assert problem_of(reply)["problems"][0]["field"] == field


async def test_a_link_swapped_after_the_check_is_not_followed(
    server: Server, make_notebook: MakeNotebook, tmp_path: Path, room: Any
) -> None:
    """The request names the real path, so what the link says later does not matter."""
    from jupyter_mlinfn.model.jobs import JobRequest

    make_notebook("inside.ipynb", ["1"])
    (tmp_path / "secret.ipynb").write_text("{}")
    link = server.root / "link.ipynb"
    link.symlink_to(server.root / "inside.ipynb")
    located = job_routes._located(JobRequest(source="link.ipynb"), room.root)
    link.unlink()
    os.symlink(tmp_path / "secret.ipynb", link)
    assert located.source == str(server.root / "inside.ipynb")
    reply = await server.ask("POST", "jobs/draft", body={"source": "link.ipynb"})
    assert problem_of(reply)["code"] == "outside-root"


@pytest.mark.parametrize("job", ["..%2f..%2fjobs", "ABCDEFGHIJ", "abc", "a" * 300, "abcdefghi%0a"])
async def test_ids_that_are_none(server: Server, job: str) -> None:
    for verb, path in (("GET", ""), ("GET", "/log"), ("POST", "/cancel"), ("DELETE", "")):
        reply = await server.ask(verb, f"jobs/{job}{path}")
        assert reply.status == 404
        assert problem_of(reply)["detail"].startswith("There is no job '")


async def test_a_guessed_id(server: Server) -> None:
    for verb, path in (("GET", ""), ("GET", "/log"), ("GET", "/notebook"), ("POST", "/kernel")):
        assert problem_of(await server.ask(verb, f"jobs/abcdefghij{path}"))["status"] == 404


async def test_a_slow_batch_system_does_not_make_the_list_slow(
    server: Server, make_notebook: MakeNotebook, room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await room.run(lambda: room.workbench)
    answering = threading.Event()
    looks = []

    def run_once() -> int:
        looks.append(time.monotonic())
        answering.wait(60)
        return 0

    reconciler = await room.run(lambda: bench.reconciler)
    monkeypatch.setattr(reconciler, "run_once", run_once)
    monkeypatch.setattr(job_routes, "PATIENCE", 0.05)
    replies = await asyncio.gather(*(server.ask("GET", "jobs") for _ in range(12)))
    assert {reply.status for reply in replies} == {200}
    assert len(looks) == 1
    answering.set()


async def test_a_store_that_is_silent_is_said(
    server: Server, room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> int:
        raise Unavailable("The index of jobs is locked.", code="store-locked")

    reconciler = await room.run(lambda: room.workbench.reconciler)
    monkeypatch.setattr(reconciler, "run_once", silent)
    reply = await server.ask("GET", "jobs")
    assert reply.status == 503
    assert problem_of(reply)["code"] == "store-locked"
