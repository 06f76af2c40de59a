"""Comparing two jobs: nothing differs from itself, and b against a mirrors a against b."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.exactness.comparing import compare
from jupyter_mlinfn.jobs.exactness.facts import Facts
from jupyter_mlinfn.jobs.exactness.lines import blocks, detail
from jupyter_mlinfn.jobs.exactness.notebooks import Cell
from jupyter_mlinfn.model.exactness import (
    DiffedJob,
    DiffItem,
    DiffSection,
    GitState,
    JobDiff,
    Node,
    OutputFile,
)
from jupyter_mlinfn.model.jobs import BundledFile, Resources, Usage
from tests.jobs.workplace import make_spec

AT = datetime(2026, 1, 2, tzinfo=UTC)
MIRROR = {"only-a": "only-b", "only-b": "only-a"}

words = st.text("ab 1\n", max_size=12)
names = st.sampled_from(["a", "b", "c", "x.y", "cell a / b", "cell 2 / 1"])
shas = st.sampled_from(["0" * 64, "1" * 64])
scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.floats(), words)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2), max_leaves=3)
cells = st.lists(st.builds(Cell, st.just("code"), words, words, words), max_size=5).map(tuple)
files = st.lists(
    st.builds(
        BundledFile,
        path=names,
        size=st.integers(0, 2),
        mtime=st.just(1.0),
        sha256=st.one_of(st.none(), shas),
        role=st.sampled_from(["input", "module"]),
    ),
    max_size=4,
    unique_by=lambda file: (file.role, file.path),
).map(tuple)
outputs = st.lists(
    st.builds(
        OutputFile,
        path=names,
        size=st.integers(0, 2),
        sha256=st.one_of(st.none(), shas),
        content=st.one_of(st.none(), shas),
    ),
    max_size=4,
    unique_by=lambda file: file.path,
).map(tuple)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """A job as it may have been recorded."""
    spec = make_spec(
        "aaaaaaaaaa",
        files=draw(files),
        seed=draw(st.one_of(st.none(), st.integers(0, 2))),
        resources=Resources(cpus=draw(st.integers(1, 2))),
        kind=draw(st.sampled_from(["notebook", "script"])),
        submitted_at=AT,
        git=draw(st.one_of(st.none(), st.builds(GitState, folder=words, commit=shas))),
    )
    paths = [file.path for file in spec.files if file.role == "module"]
    return Facts(
        job=DiffedJob(id=spec.id, name="n", state="failed", backend="local", submitted_at=AT),
        spec=spec,
        parameters=draw(st.dictionaries(names, values, max_size=3)),
        packages=draw(st.dictionaries(st.sampled_from(["numpy", "jax"]), words, max_size=3)),
        code=draw(st.one_of(st.none(), cells)),
        modules={path: draw(st.one_of(st.none(), words)) for path in paths},
        outputs=draw(st.one_of(st.none(), outputs)),
        printed=draw(st.one_of(st.none(), cells)),
        values=draw(st.dictionaries(names, values, max_size=3)),
        node=draw(st.one_of(st.none(), st.builds(Node, cpu=words, gpu_models=st.just(("T4",))))),
        waited=draw(st.one_of(st.none(), st.floats(0, 10))),
        usage=Usage(peak_memory=draw(st.one_of(st.none(), st.integers(0, 2)))),
        cell_seconds=draw(st.dictionaries(st.integers(1, 3), st.floats(0, 9), max_size=3)),
    )


@settings(max_examples=60, deadline=None)
@given(facts())
def test_a_job_does_not_differ_from_itself(one: Facts) -> None:
    found = compare(one, one)
    standings = {item.standing for part in found.sections for item in part.items}
    assert standings <= {"equal", "unknown"}
    assert found.same_request
    assert found.same_outputs is not False
    assert not any(item.detail for part in found.sections for item in part.items)
    assert "Different" not in found.text


def mirrored(section: DiffSection) -> list[tuple[Any, ...]]:
    return sorted(_seen(item, mirror=True) for item in section.items)


def _seen(item: DiffItem, *, mirror: bool) -> tuple[Any, ...]:
    """All of an item that can be told apart; NaN is equal to itself here."""
    name, (a, b), standing = item.name, (item.a, item.b), str(item.standing)
    if mirror:
        if item.kind == "text" and name.startswith("cell "):
            name = f"cell {' / '.join(reversed(name.removeprefix('cell ').split(' / ')))}"
        a, b, standing = b, a, MIRROR.get(standing, standing)
    return (name, standing, repr(a), repr(b), item.kind, len(item.detail))


@settings(max_examples=100, deadline=None)
@given(facts(), facts())
def test_the_other_way_round_is_the_mirror(one: Facts, other: Facts) -> None:
    there, back = compare(one, other), compare(other, one)
    assert there.text == back.text
    assert (there.same_request, there.same_outputs) == (back.same_request, back.same_outputs)
    for part, mirror in zip(there.sections, back.sections, strict=True):
        assert part.same == mirror.same
        assert sorted(_seen(item, mirror=False) for item in part.items) == mirrored(mirror)


@settings(max_examples=60, deadline=None)
@given(facts(), facts())
def test_a_difference_crosses_as_json(one: Facts, other: Facts) -> None:
    found = compare(one, other)
    assert JobDiff.model_validate_json(found.model_dump_json()).text == found.text


@settings(deadline=None)
@given(st.lists(words), st.lists(words))
def test_blocks_cover_both_sides_in_order(a: list[str], b: list[str]) -> None:
    left, right = [], []
    for tag, a_from, a_to, b_from, b_to in blocks(a, b):
        left += a[a_from:a_to]
        right += b[b_from:b_to]
        assert tag != "equal" or a[a_from:a_to] == b[b_from:b_to]
    assert (left, right) == (a, b)


@settings(deadline=None)
@given(words, words)
def test_lines_that_differ_are_all_told(a: str, b: str) -> None:
    told = detail(a, b)
    gone = [line[1:] for line in told if line.startswith("-")]
    new = [line[1:] for line in told if line.startswith("+")]
    assert len(gone) - len(new) == len(a.splitlines()) - len(b.splitlines())


@pytest.fixture
def one() -> Facts:
    spec = make_spec("aaaaaaaaaa", submitted_at=AT)
    return Facts(
        job=DiffedJob(id=spec.id, name="n", state="succeeded", backend="local", submitted_at=AT),
        spec=spec,
        parameters={"lr": 0.1},
        packages={"numpy": "2.0", "torch": "3"},
        code=(Cell("code", "import x", "", ""), Cell("code", "y = 1\nprint(y)", "", "")),
        outputs=(
            OutputFile(path="m.json", size=3, sha256="0" * 64),
            OutputFile(path="w.bin", size=9),
        ),
        printed=(Cell("code", "y", "1\n2", '["1"]'),),
        values={"loss": 0.5},
    )


def part(found: JobDiff, name: str) -> dict[str, DiffItem]:
    (section,) = (section for section in found.sections if section.name == name)
    return {item.name: item for item in section.items}


def test_a_changed_parameter_and_package_are_named(one: Facts) -> None:
    other = replace(one, parameters={"lr": 0.2}, packages={"numpy": "2.1", "jax": "1"})
    found = compare(one, other)
    assert not found.same_request
    assert "parameters (lr); packages (jax, numpy, torch)" in found.text
    packages = part(found, "packages")
    assert [packages[name].standing for name in ("jax", "numpy", "torch")] == [
        "only-b",
        "changed",
        "only-a",
    ]


@pytest.mark.parametrize("value", [True, 1.0, "1"])
def test_values_of_other_types_are_other_values(one: Facts, value: Any) -> None:
    found = compare(replace(one, parameters={"n": 1}), replace(one, parameters={"n": value}))
    assert part(found, "parameters")["n"].standing == "changed"


def test_an_inserted_cell_moves_the_others_without_changing_them(one: Facts) -> None:
    assert one.code is not None
    new = Cell("code", "z = 3", "", "")
    found = compare(one, replace(one, code=(one.code[0], new, one.code[1])))
    told = {name: item.standing for name, item in part(found, "code").items()}
    assert told == {
        "kind": "equal",
        "cell 1": "equal",
        "cell 2": "only-b",
        "cell 2 / 3": "equal",
    }


def test_a_changed_cell_shows_its_lines(one: Facts) -> None:
    assert one.code is not None
    found = compare(one, replace(one, code=(one.code[0], Cell("code", "y = 2\nprint(y)", "", ""))))
    assert part(found, "code")["cell 2"].detail == ("-y = 1", "+y = 2", " print(y)")


def test_a_figure_that_differs_is_seen(one: Facts) -> None:
    found = compare(one, replace(one, printed=(Cell("code", "y", "1\n2", '["2"]'),)))
    told = part(found, "printed")["cell 1"]
    assert (told.standing, found.same_outputs) == ("changed", False)
    assert "figure" in told.detail[0]


def test_what_was_not_hashed_is_unknown_and_not_equal(one: Facts) -> None:
    found = compare(one, one)
    assert part(found, "outputs")["w.bin"].standing == "unknown"
    assert found.same_outputs is None
    hashed = replace(one, outputs=one.outputs and one.outputs[:1])
    assert compare(hashed, hashed).same_outputs is True
    assert compare(hashed, hashed).text.endswith("The outputs are the same.")


def test_without_outputs_nothing_is_claimed(one: Facts) -> None:
    bare = replace(one, outputs=None, printed=None, values={})
    found = compare(bare, bare)
    assert found.same_outputs is None
    assert "no outputs to compare" in found.text
    assert "published nothing" in str(compare(one, bare).sections[6].note)


def test_long_texts_are_not_compared_line_by_line(one: Facts) -> None:
    assert len(detail("a\n" * 3000, "b\n" * 3000)) == 1
    assert len(detail("a\n" * 1500, "b\n" * 1500)) <= 401
