"""Sweeps in a terminal: asked for, followed, exported, run again."""

from __future__ import annotations

import csv
import io

import pytest

from tests.cli.conftest import Program, write_notebook

pytestmark = pytest.mark.slow

CELL = "lr = 0.1\nseed = 0"


@pytest.mark.slow
def test_a_sweep_from_the_command_line_to_its_table(program: Program) -> None:
    cell = "import mlinfn\nassert seed != 2\nmlinfn.record(loss=lr * (seed + 1))"
    source = str(write_notebook(program.home / "study.ipynb", [cell], parameters=CELL))
    dry = program.run(
        "submit", source, "--sweep", "lr=0.5,0.25", "--sweep", "seed=0..2", "--dry-run"
    )
    assert dry.code == 0, dry.err
    assert "Sweep: 6 points over lr, seed." in dry.out
    assert "1: lr=0.5, seed=1" in dry.out
    done = program.run(
        "submit", source, "--sweep", "seed=0..2", "-p", "lr=0.5", "--throttle=2",
        "--backend=local", "--memory=300MiB", "--wait", "--json",
    )  # fmt: skip
    assert done.code == 1, done.err
    record = done.json
    assert record["state"] == "failed"
    assert record["reason"]["text"] == "1 of 3 points failed."
    assert record["sweep"]["succeeded"] == 2
    table = program.run("job", "points", record["id"], "--sort=loss", "--descending")
    lines = [line.split()[:4] for line in table.out.splitlines()]
    assert lines[0] == ["POINT", "STATE", "seed", "loss"]
    assert lines[1:] == [
        ["1", "succeeded", "1", "1.0"],
        ["0", "succeeded", "0", "0.5"],
        ["2", "failed", "2", "–"],
    ]
    page = program.run("job", "points", record["id"], "--state=failed", "--json").json
    assert [point["index"] for point in page["points"]] == [2]
    text = program.run("job", "points", record["id"], "--csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["loss"] for row in rows] == ["0.5", "1.0", ""]
    assert "AssertionError" in program.run("job", "log", record["id"], "--point=2").out
    again = program.run("job", "rerun", record["id"], "--failed", "--json").json
    assert again["sweep"]["points"] == 1
    program.run("job", "cancel", again["id"], "--point=0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sweep", "seed=0..9999", "--sweep", "lr=1,2"), "20,000 points"),
        (("--sweep", "seed"), "no parameter"),
        (("--sweep", "seed=1", "--sweep", "seed=2"), "given twice"),
        (("--sweep", "--wrap=id"), "cannot be a parameter's name"),
        (("--sweep-file", "nowhere.csv"), "cannot be read"),
        (("--throttle", "2"), "for sweeps"),
        (("--throttle", "0", "--sweep", "seed=1"), "throttle"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(
    program: Program, words: tuple[str, ...], said: str
) -> None:
    source = str(write_notebook(program.home / "study.ipynb", ["print(lr)"], parameters=CELL))
    refused = program.run("submit", source, *words)
    assert refused.code == 2
    assert said in refused.err
    assert program.run("jobs", "--json").json["jobs"] == []
