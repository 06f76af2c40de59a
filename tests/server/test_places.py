"""Where a job runs, by HTTP: a site's own back-end beside this machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.serving import Server
from tests.systems import farm

MakeNotebook = Callable[..., str]


@pytest.fixture
def farmland(server: Server, room: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a farm that a site installed beside this server."""
    monkeypatch.syspath_prepend(farm.install(tmp_path / "site"))
    folder: Path = room.workbench.backends["farm"].folder
    return folder


async def form_of(server: Server, source: str) -> dict[str, Any]:
    reply = await server.ask("GET", "jobs/form", query={"source": source})
    assert reply.status == 200, reply.body
    form: dict[str, Any] = reply.json
    return form


async def test_one_place_is_offered_where_there_is_one(
    server: Server, make_notebook: MakeNotebook
) -> None:
    form = await form_of(server, make_notebook("fit.ipynb", ["1"]))
    there = [one for one in form["backends"] if one["name"] == "local"]
    assert [(one["title"], one["queues"], one["missing"]) for one in there] == [
        ("This machine", [], "")
    ]
    assert form["backends"][0] == there[0]
    assert form["limits"] == there[0]["limits"]


async def test_the_form_offers_the_queues_of_every_place(
    server: Server, make_notebook: MakeNotebook, farmland: Path
) -> None:
    form = await form_of(server, make_notebook("fit.ipynb", ["1"]))
    assert form["backends"][0]["name"] == "local"
    assert form["defaults"]["backend"] == "auto"
    place = next(one for one in form["backends"] if one["name"] == "farm")
    assert place["title"] == "The farm"
    assert place["limits"]["cpus"] == 32
    assert [(one["name"], one["default"]) for one in place["queues"]] == [
        ("normal", True),
        ("opportunistic", False),
    ]
    assert place["queues"][0]["free"] == {"cpus": 12, "memory": 48 * 2**30, "gpus": 0}


async def test_a_closed_place_is_left_out_and_a_silent_one_says_so(
    server: Server, make_notebook: MakeNotebook, farmland: Path
) -> None:
    source = make_notebook("fit.ipynb", ["1"])
    (farmland / "silent").touch()
    form = await form_of(server, source)
    place = next(one for one in form["backends"] if one["name"] == "farm")
    assert (place["missing"], place["limits"], place["queues"]) == (
        "The farm does not answer.",
        None,
        [],
    )
    (farmland / "absent").touch()
    names = [one["name"] for one in (await form_of(server, source))["backends"]]
    assert "farm" not in names
    checks = (await server.ask("GET", "doctor")).json["checks"]
    assert "The farm is closed." in next(one["text"] for one in checks if one["name"] == "farm")
    reply = await server.ask("POST", "jobs", body={"source": source, "backend": "farm"})
    assert reply.status == 424
    assert reply.json["code"] == "backend-missing"


async def test_the_forecast_and_the_problems_are_those_of_the_queue(
    server: Server, make_notebook: MakeNotebook, farmland: Path
) -> None:
    body = {"source": make_notebook("fit.ipynb", ["1"]), "backend": "farm"}

    async def draft(**more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (
            await server.ask("POST", "jobs/draft", body={**body, **more})
        ).json
        return answer

    assert (await draft())["forecast"]["text"] == "Would wait in normal behind 3 jobs."
    assert (await draft(queue="opportunistic"))["forecast"]["starts_now"] is True
    gpu = {"cpus": 1, "memory": 2**31, "gpus": 1, "time": 60}
    assert (await draft(resources=gpu))["ok"] is True
    bad = await draft(resources=gpu, queue="opportunistic", charge="atlas")
    assert {one["field"] for one in bad["problems"]} == {"resources.gpus", "charge"}
    assert "There is: cms." in "".join(one["text"] for one in bad["problems"])


@pytest.mark.parametrize("queue", ["--help", "a b", "x\n#SBATCH --uid=0", "", "é", "q" * 101])
async def test_what_no_queue_can_be_called_is_refused(
    server: Server, make_notebook: MakeNotebook, farmland: Path, queue: str
) -> None:
    body = {"source": make_notebook("fit.ipynb", ["1"]), "backend": "farm"}
    for field in ("queue", "charge"):
        reply = await server.ask("POST", "jobs", body={**body, field: queue})
        assert reply.status == 400, reply.body
    assert list(farmland.glob("*.json")) == []


async def test_the_place_is_in_the_record_and_remembered_for_the_notebook(
    server: Server, make_notebook: MakeNotebook, farmland: Path
) -> None:
    source = make_notebook("fit.ipynb", ["1"])
    place = {"backend": "farm", "queue": "opportunistic", "charge": "cms"}
    reply = await server.ask("POST", "jobs", body={"source": source, **place})
    assert reply.status == 201, reply.body
    record = reply.json
    assert (record["backend"], record["queue"], record["backend_id"]) == (
        "farm",
        "opportunistic",
        "1234",
    )
    details = (await server.ask("GET", f"jobs/{record['id']}")).json
    assert details["job"]["reason"]["text"] == "3 jobs are before this one."
    assert details["spec"]["charge"] == "cms"
    form = await form_of(server, source)
    assert {name: form["defaults"][name] for name in place} == place
    assert form["limits"]["cpus"] == 32
    (farmland / "absent").touch()
    form = await form_of(server, source)
    assert {name: form["defaults"][name] for name in place} == {
        "backend": "auto",
        "queue": None,
        "charge": None,
    }


async def test_a_recorded_job_goes_to_another_place(
    server: Server, make_notebook: MakeNotebook, farmland: Path, nothing_starts: None
) -> None:
    source = make_notebook("fit.ipynb", ["1"])
    first = (await server.ask("POST", "jobs", body={"source": source})).json["id"]
    body = {"backend": "farm", "charge": "cms"}
    moved = (await server.ask("POST", f"jobs/{first}/rerun", body=body)).json
    assert (moved["backend"], moved["queue"]) == ("farm", None)
    ticket = json.loads((farmland / f"{moved['backend_id']}.json").read_text())
    assert (ticket["queue"], ticket["charge"]) == (None, "cms")
    back = await server.ask("POST", f"jobs/{moved['id']}/rerun", body={"backend": "local"})
    assert back.status == 201, back.body
    assert (back.json["backend"], back.json["queue"]) == ("local", None)


class Said(logging.Handler):
    """What a logger says, whatever else listens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class TestNamesInTheSettings:
    @pytest.fixture
    def mlinfn_settings(self) -> dict[str, Any]:
        return {"places": ["locla", "local"], "backends": ["slrum"]}

    async def test_one_that_nothing_has_is_told_in_the_log_once_and_by_the_doctor(
        self, server: Server, make_notebook: MakeNotebook
    ) -> None:
        said = Said()
        server.app.log.addHandler(said)
        source = make_notebook("fit.ipynb", ["1"])
        drafts = [
            await server.ask("POST", "jobs/draft", body={"source": source, "backend": name})
            for name in ("locla", "slurm")
        ]
        checks = (await server.ask("GET", "doctor")).json["checks"]
        server.app.log.removeHandler(said)
        logged = [one for one in said.messages if one.startswith("The setting ")]
        told = [
            "The setting backends names 'slrum', which no back-end here is called. "
            "Did you mean 'slurm'? There are: ",
            "The setting places names 'locla', which no back-end here is called. "
            "Did you mean 'local'? There are: ",
        ]
        assert [one.partition("htcondor, ")[0] for one in logged] == told
        (check,) = [one for one in checks if one["name"] == "settings"]
        assert (check["state"], check["text"]) == ("warning", " ".join(logged))
        assert [one.json["problems"][0]["text"] for one in drafts] == [
            "There is no back-end 'locla' here. Did you mean 'local'? Jobs can go to: local.",
            "The settings leave the back-end 'slurm' out, or it cannot be loaded. "
            "Jobs can go to: local.",
        ]


async def test_a_cancel_is_taken_while_the_place_is_silent(
    server: Server, make_notebook: MakeNotebook, farmland: Path
) -> None:
    body = {"source": make_notebook("fit.ipynb", ["1"]), "backend": "farm"}
    job = (await server.ask("POST", "jobs", body=body)).json["id"]
    (farmland / "silent").touch()
    reply = await server.ask("POST", f"jobs/{job}/cancel", body={})
    assert reply.status == 503, reply.body
    assert reply.json["detail"].startswith("Your wish is taken. The farm does not answer. The job")
    (record,) = (await server.ask("GET", "jobs")).json["jobs"]
    assert record["cancelling"]
    bulk = await server.ask("POST", "jobs/bulk/cancel", body={"jobs": [job]})
    assert bulk.json["results"][0]["text"] == reply.json["detail"]


async def test_a_draft_holds_what_every_place_says_and_where_the_job_would_go(
    server: Server, make_notebook: MakeNotebook, farmland: Path
) -> None:
    body = {"source": make_notebook("fit.ipynb", ["1"])}
    draft = (await server.ask("POST", "jobs/draft", body=body)).json
    assert (draft["ok"], draft["backend"]) == (True, "local")
    assert draft["why"] == "Goes to this machine: starts now."
    said = {one["backend"]: one for one in draft["places"]}
    assert said["local"]["starts_now"] is True
    assert (said["farm"]["starts_now"], said["farm"]["position"]) == (False, 3)
    (farmland / "silent").touch()
    body["queue"] = "opportunistic"
    there = (await server.ask("POST", "jobs/draft", body=body)).json
    assert there["backend"] == "farm"
    assert there["forecast"]["text"] == "Waits until the farm answers."


async def test_a_model_of_gpu_that_no_name_can_be_is_refused(
    server: Server, make_notebook: MakeNotebook
) -> None:
    body = {"source": make_notebook("fit.ipynb", ["1"])}
    for model in ("--help", "a\n#SBATCH", "", "gpu:a100", "x" * 61, "é"):
        resources = {"gpus": 1, "gpu_model": model}
        reply = await server.ask("POST", "jobs", body={**body, "resources": resources})
        assert reply.status == 400, reply.body
