"""The program in front of a real HTCondor: the same notebook here and there, without an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.jobs.backends.conftest import pool
from tests.systems.condor import Condor

__all__ = ["pool"]

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def with_htcondor(program, pool: Condor) -> Any:
    """The program where HTCondor's configuration names a pool."""
    program.env.update(pool.environment)
    yield program
    pool.clear()


def outputs_of(record: dict[str, Any]) -> list[Any]:
    cells = nbformat.read(record["output"], as_version=4).cells
    return [cell.get("outputs") for cell in cells]


def test_a_notebook_gives_the_same_on_htcondor_as_here(with_htcondor, notebook: Path) -> None:
    words = ("submit", str(notebook), "-p", "rate=0.25", "--wait", "--json")
    away = with_htcondor.run(*words, "--backend", "htcondor")
    assert away.code == 0, away.err
    assert away.json["backend"] == "htcondor"
    assert away.json["backend_id"].isdigit()
    here = with_htcondor.run(*words, "--backend", "local")
    assert here.code == 0, here.err
    assert outputs_of(away.json) == outputs_of(here.json)
    assert "rate is 0.25" in str(outputs_of(away.json))
    shown = with_htcondor.run("job", "show", away.json["id"]).out
    assert f"htcondor {away.json['backend_id']}" in shown


def test_what_htcondor_has_is_looked_at_before_anything_is_sent(
    with_htcondor, notebook: Path, pool: Condor
) -> None:
    words = ("submit", str(notebook), "--backend", "htcondor")
    unknown = with_htcondor.run(*words, "--queue", "fast")
    assert unknown.code == 2
    assert "no queues" in unknown.err
    dry = with_htcondor.run(*words, "--dry-run")
    assert dry.code == 0, dry.err
    assert "There is room in this HTCondor pool now" in dry.out
    large = with_htcondor.run(*words, "--gpus", "8", "--dry-run")
    assert large.code == 4
    assert pool.call("condor_q", "-all", "-af", "ClusterId")[1].strip() == ""


def test_a_held_job_is_released_from_the_terminal(
    with_htcondor, notebook: Path, pool: Condor
) -> None:
    pool.call("condor_off", "-startd", "-fast")
    sent = with_htcondor.run("submit", str(notebook), "--backend", "htcondor", "--json")
    pool.call("condor_hold", sent.json["backend_id"])
    pool.machine_on()
    job = sent.json["id"]
    refused = with_htcondor.run("job", "release", job, "--cpus", "99")
    assert refused.code == 4
    assert "not 99" in refused.err
    assert with_htcondor.run("job", "release", job, "--memory", "much").code == 2
    done = with_htcondor.run("job", "release", job, "--memory", "1GiB", "--time", "2h")
    assert done.code == 0, done.err
    assert "is released" in done.out
    assert "1.0 GiB, at most 2 h" in done.out
    shown = with_htcondor.run("job", "show", job).out
    assert "Asked at first" in shown
    assert "memory 2.0 GiB → 1.0 GiB, time 1 h → 2 h" in shown
    again = with_htcondor.run("job", "release", job)
    assert again.code != 0
    assert "not held" in again.err


def test_doctor_tells_that_jobs_can_go_there_and_why_not(with_htcondor, program) -> None:
    told = with_htcondor.run("doctor", "--json")
    checks = {check["name"]: check for check in told.json["checks"]}
    assert checks["htcondor"]["state"] == "ok"
    program.env.pop("CONDOR_CONFIG")
    told = program.run("doctor", "--json")
    checks = {check["name"]: check for check in told.json["checks"]}
    assert checks["htcondor"]["state"] == "missing"
    assert "no pool is named" in checks["htcondor"]["text"]
