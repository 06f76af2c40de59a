"""Exact reruns and differences for real: kernels run, verdicts are told, changes are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.exactness.repositories import needs_git, repository

pytestmark = pytest.mark.slow

TRAIN = """
import json, os, pathlib, random, hashlib
random.seed(int(os.environ["MLINFN_SEED"]))
out = pathlib.Path(os.environ["MLINFN_OUTPUT_DIR"])
weights = [random.random() * rate for _ in range(100)]
(out / "weights.json").write_text(json.dumps(weights))
(out / "order.txt").write_text(" ".join({"a", "b", "c", "d", "e"}))
print("loss", sum(weights))
import mlinfn
mlinfn.record(loss=round(sum(weights), 3))
"""


@pytest.fixture
def trained(program: Any, make_notebook: Any) -> dict[str, Any]:
    """A seeded training that has run, in a repository with changes."""
    repository(program.home)
    (program.home / "code.py").write_text("rate = 9\n", encoding="utf-8")
    (program.home / "data.csv").write_text("1\n", encoding="utf-8")
    path = make_notebook("train.ipynb", [TRAIN], parameters="rate = 1.0")
    words = ("submit", str(path), "--seed", "7", "--input", "data.csv", "--wait", "--json")
    ended = program.run(*words)
    assert ended.code == 0, ended.err
    record: dict[str, Any] = ended.json
    return record


@needs_git
def test_the_same_seed_gives_the_same_outputs_and_another_does_not(
    program: Any, trained: dict[str, Any]
) -> None:
    first = trained["id"]
    again = program.run("job", "rerun", first, "--exact", "--wait", "--json")
    assert again.code == 0, again.err
    assert "Same output: all 3 files are equal." in again.err
    known = program.run("job", "show", again.json["id"], "--json").json
    assert known["verdict"]["same"] is True
    assert known["verdict"]["first"] == first
    before = program.run("job", "show", first, "--json").json
    assert known["fingerprint"] == before["fingerprint"]
    assert before["spec"]["git"]["dirty"] is True
    assert before["history"][0]["node"]["kernel"].startswith("Linux")
    shown = program.run("job", "show", again.json["id"]).out
    assert "Same output" in shown
    assert "with changes (kept in the bundle)" in shown

    other = program.run("job", "rerun", first, "--seed", "8", "--wait", "--json")
    assert other.code == 0, other.err
    found = program.run("job", "diff", first, other.json["id"], "--json").json
    assert (found["same_request"], found["same_outputs"]) == (False, False)
    told = {part["name"]: part for part in found["sections"]}
    assert [one["name"] for one in told["outputs"]["items"] if one["standing"] == "changed"] == [
        "order.txt",
        "train.ipynb",
        "weights.json",
    ]
    assert told["values"]["items"][0]["name"] == "loss"
    assert told["code"]["same"] is True
    words = program.run("job", "diff", first, other.json["id"])
    assert "seed (MLINFN_SEED)" in words.out
    assert "+loss" in words.out
    alone = program.run("job", "diff", first, again.json["id"]).out
    assert "The outputs are the same." in alone


@needs_git
def test_a_changed_input_is_exit_code_4_and_says_where(
    program: Any, trained: dict[str, Any]
) -> None:
    data = program.home / "data.csv"
    data.write_text("2\n", encoding="utf-8")
    refused = program.run("job", "rerun", trained["id"], "--exact", "--json")
    assert refused.code == 4
    problem = refused.json["error"]["problems"][0]
    assert refused.json["error"]["code"] == "not-exact"
    assert "data.csv is not what it was" in problem["text"]
    assert str(data) in problem["hint"]
    assert len(program.run("jobs", "--json").json["jobs"]) == 1
    changed = program.run("job", "rerun", trained["id"], "--exact", "-p", "rate=2", "--json")
    assert changed.code == 2
    assert program.run("job", "rerun", trained["id"], "--json").code == 0


@pytest.mark.parametrize("name", ["../x", "a/b", "a/-1", "", "a/99999", "A"])
def test_what_names_no_job_is_refused(program: Any, name: str) -> None:
    ended = program.run("job", "diff", name, name, "--json")
    assert ended.code == 2
    assert json.loads(ended.out)["error"]["code"] in ("bad-job", "job-not-found")


@pytest.mark.parametrize("seed", ["-1", "4294967296", "1.5", "x"])
def test_a_seed_that_python_does_not_take(program: Any, notebook: Path, seed: str) -> None:
    assert program.run("submit", str(notebook), "--seed", seed, "--json").code == 2
