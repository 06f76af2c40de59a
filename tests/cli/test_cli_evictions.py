"""Eviction on this machine and going on from a checkpoint, by the real program alone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.cli.conftest import Program, write_notebook
from tests.jobs.engine.making import wait_for
from tests.jobs.engine.training import TELLS, TRAINING, WAITS, undisturbed

pytestmark = pytest.mark.slow


def attempt(program: Program, job: str, number: int = 1) -> Path:
    return program.home / "data" / "mlinfn" / "jobs" / job / "attempts" / str(number)


def recorded(program: Program, job: str, least: int) -> Any:
    """Whether the first attempt has recorded so many values."""
    values = attempt(program, job) / "values.jsonl"
    return lambda: values.exists() and values.read_text().count("\n") >= least


def last_words(record: Any) -> list[str]:
    """What the last cell printed."""
    cells = nbformat.read(record["output"], as_version=4).cells
    return str(cells[-1].outputs[0].text).split()


def test_an_evicted_job_starts_again_by_itself_and_goes_on(program: Program) -> None:
    path = write_notebook(program.home / "train.ipynb", [TRAINING, WAITS, TELLS])
    job = program.run("submit", str(path), "--evictable", "--time", "5min", "--json").json["id"]
    wait_for(recorded(program, job, 8))
    supervisor = json.loads((attempt(program, job) / "supervisor.json").read_text())
    os.kill(supervisor["pid"], signal.SIGTERM)  # as a machine does that is stopped
    wait_for((attempt(program, job, 2) / "end.json").exists)
    record = program.run("job", "show", job, "--json").json
    shown = record.get("job", record)
    assert (shown["state"], shown["attempts"], shown["evictions"]) == ("succeeded", 2, 1)
    assert shown["checkpoint_at"] is not None
    resumed, digest = last_words(shown)
    assert int(resumed) >= 8
    assert digest == undisturbed()
    words = program.run("job", "show", job).out
    assert "Evicted" in words
    assert "once" in words
    assert "Checkpoint" in words
    assert "Attempt 1" in words


def test_a_job_out_of_time_is_continued_from_its_checkpoint(program: Program) -> None:
    cells = [TRAINING, "train(1.0 if not resumed_at else 0.0)", TELLS]
    path = write_notebook(program.home / "train.ipynb", cells)
    ended = program.run("submit", str(path), "--time", "12s", "--wait", "--json")
    assert (ended.code, ended.json["reason"]["code"]) == (1, "time-limit"), ended
    assert "continue from the checkpoint" in ended.json["reason"]["text"]
    job = ended.json["id"]
    assert f"mlinfn job rerun --continue {job}" in program.run("job", "show", job).out
    again = program.run("job", "rerun", "--continue", job, "--wait", "--json")
    assert again.code == 0, again
    resumed, digest = last_words(again.json)
    assert int(resumed) > 0
    assert digest == undisturbed()
    assert again.json["rerun_of"] == job


def test_what_left_no_checkpoint_cannot_be_continued(program: Program) -> None:
    path = write_notebook(program.home / "small.ipynb", ["1"])
    job = program.run("submit", str(path), "--wait", "--json").json["id"]
    refused = program.run("job", "rerun", "--continue", job)
    assert refused.code == 2
    assert "left no checkpoint" in refused.err
