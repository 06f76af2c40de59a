"""Where a job runs, from the terminal: a site's own back-end beside this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.systems import farm

pytestmark = pytest.mark.slow


@pytest.fixture
def with_farm(program, tmp_path: Path) -> Any:
    """The program on a machine where a site installed its farm."""
    folder = farm.install(tmp_path / "site")
    config = program.home / "config"
    config.mkdir()
    (config / "jupyter_mlinfn_config.py").write_text(
        f"import sys\nsys.path += [{str(folder)!r}, {str(farm.REPOSITORY)!r}]\n"
    )
    return program


def farm_folder(program) -> Path:
    return program.home / "data" / "mlinfn" / "farm"


def play(program, name: str) -> None:
    """Make the farm ``absent`` or ``silent``."""
    farm_folder(program).mkdir(parents=True, exist_ok=True)
    (farm_folder(program) / name).touch()


def test_a_job_goes_to_the_queue_and_the_account_that_were_named(with_farm, notebook) -> None:
    words = ("--backend", "farm", "--queue", "opportunistic", "--charge", "cms")
    record = with_farm.run("submit", str(notebook), *words, "--json").json
    assert record["backend"] == "farm"
    assert record["queue"] == "opportunistic"
    assert record["backend_id"] == "1234"
    ticket = json.loads((farm_folder(with_farm) / "1234.json").read_text())
    assert (ticket["queue"], ticket["charge"]) == ("opportunistic", "cms")
    shown = with_farm.run("job", "show", record["id"])
    assert "farm/opportunistic 1234" in shown.out
    assert "cms" in shown.out
    assert "3 jobs are before this one." in shown.out
    listed = with_farm.run("jobs", env={"COLUMNS": "80"})
    assert "farm/oppo" in listed.out
    found = with_farm.run("jobs", "--json").json["jobs"][0]
    assert (found["backend"], found["queue"], found["backend_id"]) == (
        "farm",
        "opportunistic",
        "1234",
    )
    assert found["reason"]["code"] == "waits-in-queue"


def test_a_list_of_jobs_of_this_machine_has_no_column_for_it(with_farm, notebook) -> None:
    with_farm.run("submit", str(notebook), "--wait")
    assert "WHERE" not in with_farm.run("jobs", env={"COLUMNS": "80"}).out


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("--queue", "fast"), "unknown-queue", "normal, opportunistic"),
        (("--charge", "atlas"), "unknown-charge", "cms"),
        (("--queue", "--x"), "bad-input", "Letters, digits"),
        (("--charge", "a b"), "bad-input", "Letters, digits"),
    ],
)
def test_what_is_not_offered_is_refused_and_what_there_is_is_named(
    with_farm, notebook, words: tuple[str, str], code: str, named: str
) -> None:
    for more in ((), ("--dry-run",)):
        told = with_farm.run("submit", str(notebook), "--backend", "farm", *words, *more, "--json")
        assert told.code == 2, told.err
        document = told.json
        problems = document["error"]["problems"] if "error" in document else document["problems"]
        assert [one["code"] for one in problems] == [code]
        assert problems[0]["field"] == words[0].removeprefix("--")
        assert named in problems[0]["text"]
    assert with_farm.run("jobs", "--json").json["jobs"] == []


def test_this_machine_has_neither_queues_nor_accounts(program, notebook) -> None:
    words = ("--backend", "local", "--queue", "fast", "--charge", "cms", "--json")
    told = program.run("submit", str(notebook), *words)
    assert told.code == 2
    fields = [one["field"] for one in told.json["error"]["problems"]]
    assert fields == ["queue", "charge"]


def test_a_dry_run_says_where_and_what_the_queue_would_do(with_farm, notebook) -> None:
    words = ("submit", str(notebook), "--backend", "farm", "--dry-run")
    usual = with_farm.run(*words)
    assert "Where: farm\n" in usual.out
    assert "behind 3 jobs" in usual.out
    other = with_farm.run(*words, "--queue", "opportunistic", "--charge", "cms")
    assert "Where: farm/opportunistic, charged to cms" in other.out
    assert "Would start now in opportunistic." in other.out


def test_an_unknown_place_is_answered_with_those_there_are(with_farm, notebook) -> None:
    words = ("submit", str(notebook), "--backend")
    told = with_farm.run(*words, "moon")
    assert told.code == 3
    assert "farm, local" in told.err
    play(with_farm, "absent")
    told = with_farm.run(*words, "farm")
    assert told.code == 3
    assert "The farm is closed. Jobs can go to: local" in told.err


def test_the_doctor_names_a_site_s_back_end_here_or_not(with_farm) -> None:
    def check() -> dict[str, str]:
        checks = with_farm.run("doctor", "--json").json["checks"]
        return next(one for one in checks if one["name"] == "farm")

    assert check()["state"] == "ok"
    play(with_farm, "absent")
    assert check()["state"] == "missing"
    assert "The farm is closed." in check()["text"]


def test_a_job_waits_while_the_system_is_silent_and_goes_there_later(with_farm, notebook) -> None:
    play(with_farm, "silent")
    told = with_farm.run("submit", str(notebook), "--backend", "farm", "--json")
    assert told.code == 0, told.err
    assert told.json["state"] == "queued"
    assert "does not answer" in told.json["reason"]["text"]
    assert told.json["backend_id"] is None


def test_a_cancel_while_the_system_is_silent_is_taken_and_carried_out_later(
    with_farm, notebook
) -> None:
    job = with_farm.run("submit", str(notebook), "--backend", "farm", "--json").json["id"]
    play(with_farm, "silent")
    told = with_farm.run("job", "cancel", job, "--json")
    assert told.code == 3, told.err
    text = "Your wish is taken. The farm does not answer. The job is cancelled as soon as that"
    assert told.json["error"]["text"].startswith(text)
    assert text in told.err
    assert "'mlinfn jobs'" in told.err
    (farm_folder(with_farm) / "silent").unlink()
    assert with_farm.run("jobs", "--json").json["jobs"][0]["cancelling"]
    ticket = json.loads((farm_folder(with_farm) / "1234.json").read_text())
    assert ticket["state"] == "cancelled", "the next look carries it out"


def test_a_rerun_keeps_its_place_or_goes_to_another(with_farm, notebook) -> None:
    words = ("--backend", "farm", "--queue", "opportunistic", "--charge", "cms")
    first = with_farm.run("submit", str(notebook), *words, "--json").json["id"]
    again = with_farm.run("job", "rerun", first, "--json").json
    assert (again["backend"], again["queue"], again["backend_id"]) == (
        "farm",
        "opportunistic",
        "1235",
    )
    ticket = json.loads((farm_folder(with_farm) / "1235.json").read_text())
    assert ticket["charge"] == "cms"
    moved = with_farm.run("job", "rerun", first, "--backend", "local", "--json").json
    assert (moved["backend"], moved["queue"]) == ("local", None)


def test_without_a_place_the_job_goes_where_it_starts_first(with_farm, notebook) -> None:
    told = with_farm.run("submit", str(notebook), "--dry-run")
    assert told.code == 0, told.err
    assert "Goes to this machine: starts now." in told.out
    lines = told.out.splitlines()
    places = lines[lines.index("Places:") + 1 :]
    assert places[0].split() == ["→", "This", "machine", "starts", "now"]
    assert places[1].split() == ["The", "farm", "3", "before", "it"]
    there = with_farm.run("submit", str(notebook), "--queue", "opportunistic", "--json")
    assert (there.json["backend"], there.json["queue"]) == ("farm", "opportunistic")
    again = with_farm.run("job", "rerun", there.json["id"], "--json").json
    assert (again["backend"], again["queue"]) == ("farm", "opportunistic")


def test_a_gpu_that_this_machine_has_not_is_looked_for_elsewhere(with_farm, notebook) -> None:
    words = ("submit", str(notebook), "--gpu-memory", "10GiB", "--gpu-model", "A100", "--dry-run")
    told = with_farm.run(*words)
    assert told.code == 0, told.err
    assert "Asks for: 1 CPU, 2.0 GiB, 1 GPU (A100, 10.0 GiB), at most 1 h" in told.out
    assert "Where: farm\n" in told.out
    assert "This machine: No GPU was found on this machine." in told.out
    draft = with_farm.run(*words, "--json").json
    assert draft["resources"]["gpu_memory"] == 10 * 2**30
    assert [(one["backend"], one["ok"]) for one in draft["places"][:2]] == [
        ("local", False),
        ("farm", True),
    ]
    assert with_farm.run(*words, "--gpu-memory", "much").code == 2
    assert with_farm.run(*words, "--gpu-model", "--export=ALL").code == 2
    record = with_farm.run(*words[:-1], "--charge", "cms", "--json").json
    assert (record["backend"], record["charge"]) == ("farm", "cms")
    shown = with_farm.run("job", "show", record["id"]).out
    assert "1 GPU (A100, 10.0 GiB)" in shown
    again = with_farm.run("job", "rerun", record["id"], "--gpu-memory", "5GiB", "--json").json
    assert again["resources"]["gpu_model"] == "A100"
    assert again["resources"]["gpu_memory"] == 5 * 2**30
