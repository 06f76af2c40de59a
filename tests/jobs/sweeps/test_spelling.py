"""What people type of a sweep, spelled out: ranges, lists, tables, and all that is wrong."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.jobs.sweeps.spelling import split, values_of
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import Draft, JobRequest, Parameter
from jupyter_mlinfn.model.sweeps import Sweep
from tests.jobs.workplace import Listener, code, write_notebook

CELL = "lr = 0.1\nseed = 1\nname = 'a'\nlayers = [1]\nflag = False\nfree = None"


def of(kind: Any) -> Parameter:
    return Parameter(name="x", kind=kind, source="…")


def draft(submission: Submission, work: Path, **sweep: Any) -> Draft:
    fixed = sweep.pop("fixed", {})
    notebook = write_notebook(work / "train.ipynb", code(CELL, "parameters"), code("print(lr)"))
    asked = JobRequest(source=str(notebook), sweep=Sweep(**sweep), parameters=fixed)
    return submission.draft(asked)


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("0.1,0.01", "float", [0.1, 0.01]),
        ("0..4", "int", [0, 1, 2, 3, 4]),
        ("0..1:0.25", "float", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("0..1:0.3", "none", [0.0, 0.3, 0.6, 0.9]),
        ("4..0:-2", "int", [4, 2, 0]),
        ("3..1", "none", [3, 2, 1]),
        ("1,10..30:10,7", "int", [1, 10, 20, 30, 7]),
        ("1e-3..3e-3:1e-3", "float", [0.001, 0.002, 0.003]),
        ("0..2", "str", ["0..2"]),
        ('a, b ,"c,d",it\'s', "str", ["a", "b", "c,d", "it's"]),
        ('"",x', "str", ["", "x"]),
        ("[1,2],[3]", "list", [[1, 2], [3]]),
        ('{"a": [1, 2]},{}', "dict", [{"a": [1, 2]}, {}]),
        ("true,0", "bool", [True, False]),
        ("adam,1,2.5,None", "none", ["adam", 1, 2.5, None]),
    ],
)
def test_an_axis_is_spelled_out_in_the_type_of_the_default(
    text: str, kind: str, values: list[JsonValue]
) -> None:
    found = values_of("x", text, of(kind))
    assert found == values
    assert [type(one) for one in found] == [type(one) for one in values]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("", "int", "empty"),
        ("1,,2", "int", "Value 2"),
        ("1,2,x", "int", "Value 3 of x"),
        ("0..10:0.5", "int", "whole number"),
        ("0..10:0", "int", "never comes"),
        ("0..10:-1", "int", "never comes"),
        ("0..10000000", "int", "10,000,001 values"),
        ("0..1e300:1e-300", "float", "too many values"),
        ("0..9999,1", "int", "more than 10,000"),
        ("[1,2", "list", "do not close"),
        ("1]", "list", "Value 1"),
        ("1..", "int", "Value 1"),
        ("１..３", "int", "Value 1"),
        ("0..nan", "float", "Value 1"),
    ],
)
def test_what_cannot_be_spelled_out_is_named(text: str, kind: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        values_of("x", text, of(kind))
    assert said in refused.value.text
    assert refused.value.field == "sweep.raw_axes.x"


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(-20, 20).filter(bool))
def test_a_range_of_whole_numbers_is_pythons_with_its_end(first: int, last: int, step: int) -> None:
    text = f"{first}..{last}:{step}"
    wanted = list(range(first, last + (1 if step > 0 else -1), step))
    if not wanted:
        with pytest.raises(InputError):
            values_of("x", text, of("int"))
    else:
        assert values_of("x", text, of("int")) == wanted


@given(st.integers(0, 300), st.decimals("0.001", "5", places=3))
def test_a_range_meets_its_end_exactly_when_it_is_a_multiple_of_the_step(
    steps: int, step: Any
) -> None:
    found = values_of("x", f"0..{step * steps}:{step}", of("float"))
    assert len(found) == steps + 1
    assert found[-1] == float(step * steps)


@given(st.lists(st.text(st.characters(exclude_characters="\"'[]{}(),"), min_size=1), min_size=1))
def test_words_without_brackets_and_quotes_are_those_between_the_commas(words: list[str]) -> None:
    words = [word.strip() or "x" for word in words]
    assert split("x", ",".join(words)) == words


@given(
    st.dictionaries(
        st.sampled_from(["lr", "seed", "free"]),
        st.lists(st.integers(-9, 9), min_size=1, max_size=6),
        min_size=1,
    )
)
def test_axes_are_combined_with_the_last_one_fastest(axes: dict[str, list[int]]) -> None:
    from jupyter_mlinfn.jobs.sweeps.asking import Asked

    asked = Asked(Sweep(axes=axes), Path("/"), {}, lambda name: None, "python", ())
    wanted = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    assert asked.points() == wanted


def test_a_table_meets_every_combination_of_the_axes(submission: Submission, work: Path) -> None:
    table = "seed;name\n1;one\n\n2;\n"
    (work / "points.csv").write_text("﻿" + table, encoding="utf-8")
    found = draft(submission, work, file="points.csv", raw_axes={"lr": "0.5,0.25"})
    assert found.ok, found.problems
    assert found.sweep is not None
    assert found.sweep.points == 4
    assert found.sweep.varied == ("seed", "name", "lr")
    assert found.sweep.first == (
        {"seed": 1, "name": "one", "lr": 0.5},
        {"seed": 1, "name": "one", "lr": 0.25},
        {"seed": 2, "lr": 0.5},
        {"seed": 2, "lr": 0.25},
    )


def test_all_that_is_wrong_is_said_at_once(submission: Submission, work: Path) -> None:
    (work / "points.csv").write_text("seed,name\n1,a\nx,b\n3\n", encoding="utf-8")
    found = draft(
        submission,
        work,
        file="points.csv",
        raw_axes={"lr": "0.1,fast", "sead": "1,2", "flag": "maybe"},
        axes={"layers": [[1], 3], "seed": [4]},
        fixed={"lr": 0.5},
    )
    told = "\n".join(problem.text for problem in found.problems)
    for part in (
        "Line 3, column seed of points.csv",
        "Line 4 of points.csv has 1 cells, not 2",
        "Value 2 of lr",
        "Value 1 of flag",
        "Value 2 of layers",
        "seed is an axis and a column",
    ):
        assert part in told
    assert found.sweep is None
    assert {problem.field for problem in found.problems} >= {"sweep.file", "sweep.raw_axes.lr"}


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({}, "over nothing"),
        ({"raw_axes": {"seed": "0..99", "free": "0..99", "lr": "1,2"}}, "20,000 points"),
        ({"axes": {"seed": []}}, "no values"),
        ({"raw_axes": {"sead": "1"}}, "Did you mean seed?"),
        ({"raw_axes": {"lr": "1"}, "fixed": {"lr": 1.0}}, "Give it once"),
        ({"file": "nowhere.csv"}, "cannot be read"),
        ({"file": "."}, "cannot be read"),
        ({"file": "bad.csv"}, "no parameter's name"),
        ({"file": "twice.csv"}, "two columns"),
        ({"file": "bytes.csv"}, "not UTF-8"),
        ({"file": "empty.csv"}, "no row"),
        ({"rows": [{"seed": 1}], "file": "x.csv"}, "not both"),
        ({"rows": [{"seed": 1}, {"seed": "x"}]}, "Value 2 of seed"),
        ({"axes": {"name": ["\ud800"]}}, "no text"),
        ({"axes": {"name": ["x" * 1_000_000], "seed": list(range(1000))}}, "64 MiB"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(
    submission: Submission, work: Path, sweep: dict[str, Any], said: str
) -> None:
    (work / "bad.csv").write_text("--wrap=id\n1\n")
    (work / "twice.csv").write_text("seed,seed\n1,2\n")
    (work / "bytes.csv").write_bytes(b"seed\n\xff\n")
    (work / "empty.csv").write_text("seed\n\n")
    found = draft(submission, work, **sweep)
    assert not found.ok
    assert said in "\n".join(problem.text for problem in found.problems)


def test_values_that_would_be_code_stay_values(submission: Submission, work: Path) -> None:
    hostile = ["__import__('os')", "'); import os #", "a\nb", "{{x}}", "%run"]
    found = draft(submission, work, axes={"name": hostile})
    assert found.ok, found.problems
    assert found.sweep is not None
    assert [point["name"] for point in found.sweep.first] == hostile


def test_numbers_without_an_end_are_points_like_others(submission: Submission, work: Path) -> None:
    found = draft(submission, work, raw_axes={"lr": "inf,nan,1"})
    assert found.sweep is not None
    first, second, _third = (point["lr"] for point in found.sweep.first)
    assert first == math.inf
    assert isinstance(second, float)
    assert math.isnan(second)


def test_a_place_that_cannot_run_sweeps_says_so(
    submission: Submission, work: Path, backend: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(backend), "sweeps", False)
    found = draft(submission, work, raw_axes={"seed": "1,2"})
    assert [problem.code for problem in found.problems] == ["no-sweeps"]
