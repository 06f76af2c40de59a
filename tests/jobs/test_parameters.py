"""Parameters: read without running, typed by their defaults, written so that no value is code."""

from __future__ import annotations

import math
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.jobs import literals
from jupyter_mlinfn.jobs.parameter_cell import read_parameters
from jupyter_mlinfn.jobs.parameters import check_name, checked, coerce, inject
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import JobRequest, JobSpec, Parameter
from tests.jobs.workplace import code, make_spec


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": list(cells)}


def read(source: str, language: str = "python") -> dict[str, Parameter]:
    found = read_parameters(notebook(code(source, "parameters")), language)
    assert found is not None
    return {parameter.name: parameter for parameter in found}


CELL = """\
%matplotlib inline
import os
epochs: int = 3  # how many
rate = 1e-3  # type: float  # learning rate
count = 1  # type: float
a, b = 1, "x"
first = second = True
files = ["a", 2]
config = {"x": (1, None)}
home = os.environ["HOME"]
!ls
limit: float | None = None
maybe: "Optional[int]" = None
wrong: int = "text"
neg = -5
raw = {1: 2}
huge = 1e999
undefined: int
epochs = 4
"""


def test_a_python_cell() -> None:
    found = read(CELL)
    kinds = {name: parameter.kind for name, parameter in found.items()}
    assert kinds == {
        "epochs": "int",
        "rate": "float",
        "count": "float",
        "a": "int",
        "b": "str",
        "first": "bool",
        "second": "bool",
        "files": "list",
        "config": "dict",
        "home": "expression",
        "limit": "float",
        "maybe": "int",
        "wrong": "str",
        "neg": "int",
        "raw": "expression",
        "huge": "expression",
    }
    assert found["epochs"].default == 4
    assert found["rate"].help == "learning rate"
    assert found["config"].default == {"x": [1, None]}
    assert found["home"].source == "os.environ['HOME']"
    assert found["neg"].default == -5


def test_r_and_julia_cells() -> None:
    r = read('n <- 5L  # how many\nx = 1.5\nname <- "a"\nok <- TRUE\nv <- c(1, 2)\nm.b <- 1', "R")
    double = read('rate <- 1; # doubles are written so\nname <- "a # b" # c', "R")
    assert [(p.kind, p.default) for p in double.values()] == [("float", 1.0), ("str", "a # b")]
    assert {k: (p.kind, p.default) for k, p in r.items()} == {
        "n": ("int", 5),
        "x": ("float", 1.5),
        "name": ("str", "a"),
        "ok": ("bool", True),
        "v": ("expression", None),
    }
    assert r["n"].help == "how many"
    julia = read(
        'n::Int = 5 # how many\nconst x = 1.5;\nname = "a"\ngone = nothing\nz = 1:3', "julia"
    )
    assert read('name = "a$n"', "julia")["name"].kind == "expression"
    kinds = {k: p.kind for k, p in julia.items()}
    assert kinds == {"n": "int", "x": "float", "name": "str", "gone": "none", "z": "expression"}


def test_no_cell_no_language_and_broken_cell() -> None:
    assert read_parameters(notebook(code("x = 1")), "python") is None
    assert read_parameters(notebook(code("int x = 1;", "parameters")), "C++") == ()
    with pytest.raises(InputError) as caught:
        read("x = 1\ny = (")
    assert caught.value.code == "bad-parameters-cell"
    assert "line 2" in caught.value.text


PARAMETERS = read('i = 1\nf = 1.0\nb = True\ns = ""\nl = []\nd = {}\nn = None\ne = len("")')


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("i", "-7", -7),
        ("f", "2", 2.0),
        ("f", "1e-3", 0.001),
        ("f", "inf", math.inf),
        ("b", "false", False),
        ("b", "1", True),
        ("s", "1", "1"),
        ("s", "", ""),
        ("l", "[1, 'a']", [1, "a"]),
        ("l", "(1, 2)", [1, 2]),
        ("d", '{"a": [true]}', {"a": [True]}),
        ("n", "1", 1),
        ("n", "1.5", 1.5),
        ("n", "True", True),
        ("n", "None", None),
        ("n", "text", "text"),
        ("e", "3", 3),
    ],
)
def test_text_takes_the_kind_of_the_default(name: str, raw: str, value: object) -> None:
    taken = coerce(raw, PARAMETERS[name])
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("i", "1.5"), ("i", "x"), ("i", ""), ("i", "１"), ("i", "1\n"), ("i", "1_0"), ("i", "0x1"),
        ("f", "1,5"), ("f", "٣"), ("f", "nano"), ("b", "yes"), ("b", ""),
        ("l", "1"), ("l", "[1"), ("l", '{"a": 1}'), ("l", "[__import__('os')]"), ("l", "[" * 9999),
        ("d", "[]"), ("d", "{1, 2}"), ("i", "9" * 4001),
    ],
)  # fmt: skip
def test_text_that_is_no_value_names_its_parameter(name: str, raw: str) -> None:
    with pytest.raises(InputError) as caught:
        coerce(raw, PARAMETERS[name])
    assert caught.value.code == "bad-parameter"
    assert caught.value.field == f"parameters.{name}"
    assert len(caught.value.text) < 300


def test_values_of_a_form_are_checked_alike() -> None:
    assert checked(2.0, PARAMETERS["i"]) == 2
    assert checked(2, PARAMETERS["f"]) == 2
    assert checked(None, PARAMETERS["i"]) is None
    assert checked("anything", PARAMETERS["e"]) == "anything"
    for name, value in (
        ("i", True),
        ("i", 1.5),
        ("i", "1"),
        ("b", 1),
        ("s", 1),
        ("l", {}),
        ("f", True),
    ):
        with pytest.raises(InputError):
            checked(value, PARAMETERS[name])  # type: ignore[arg-type]


def test_names_that_would_change_the_language() -> None:
    for name in ("__builtins__", "__name__", "class", "None"):
        with pytest.raises(InputError):
            check_name(name, "python")
    check_name("class", "r")


def test_the_injected_cell_comes_right_after_the_parameters() -> None:
    before = notebook(code("import os"), code("x = 1", "parameters"), code("print(x)"))
    after = inject(before, {"x": 2}, "Python")
    assert [cell.source for cell in after.cells] == [
        "import os", "x = 1", "# Parameters\nx = 2\n", "print(x)",
    ]  # fmt: skip
    assert after.cells[2].metadata.tags == ["injected-parameters"]
    assert len(before["cells"]) == 3
    again = inject(after, {"x": 3}, "Python")
    assert [cell.source for cell in again.cells][2] == "# Parameters\nx = 3\n"
    assert len(again.cells) == 4


def test_without_a_cell_it_comes_first_and_the_notebook_stays_valid() -> None:
    for minor in (4, 5):
        before = {**notebook(), "nbformat_minor": minor}
        after = inject(before, {"x": 2}, "python")
        assert after.cells[0].source == "# Parameters\nx = 2\n"
        nbformat.validate(after)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=json_values)
def test_python_source_gives_back_the_value(value: Any) -> None:
    space: dict[str, Any] = {}
    source = literals.assignments({"x": value}, "python")
    exec(compile(source, "cell", "exec"), {"__builtins__": {"float": float}}, space)
    assert repr(space["x"]) == repr(value)


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_text_never_leaves_its_quotes(text: str) -> None:
    for language in ("r", "julia"):
        line = literals.assignments({"x": text}, language).splitlines()[1]
        inner = line[line.index('"') + 1 : -1]
        assert line.endswith('"')
        # every quote inside is escaped, and so is every dollar sign in Julia
        bare = inner.replace("\\\\", "").replace('\\"', "")
        assert '"' not in bare
        if language == "julia":
            assert "$" not in bare.replace("\\$", "")


@pytest.mark.parametrize(("language", "value"), [("r", "\0"), ("r", {"": 1}), ("julia", "\ud800")])
def test_what_a_language_cannot_write_is_refused(language: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        literals.assignments({"x": value}, language)
    assert caught.value.field == "parameters.x"


def test_literals_of_r_and_julia() -> None:
    value = {"a": [1, 2.5, None, True, math.inf, -math.inf, math.nan], "b c": 'q"\n'}
    assert literals.r(value) == (
        'list("a" = list(1, 2.5, NULL, TRUE, Inf, -Inf, NaN), "b c" = "q\\"\\n")'
    )
    assert literals.julia(value) == (
        'Dict("a" => [1, 2.5, nothing, true, Inf, -Inf, NaN], "b c" => "q\\"\\n")'
    )


def test_no_number_is_lost_on_its_way_through_the_job_folder() -> None:
    values: dict[str, Any] = {"x": [math.inf, -math.inf], "y": math.nan}
    spec = make_spec(parameters=values)
    again = JobSpec.model_validate_json(spec.model_dump_json())
    assert repr(again.parameters) == repr(values)
    request = JobRequest(source="/x", parameters=values)
    assert repr(JobRequest.model_validate_json(request.model_dump_json()).parameters) == repr(
        values
    )
