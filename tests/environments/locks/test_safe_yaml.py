"""YAML from strangers: what is read, what is refused, and that nothing is worse than a message."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.environments.locks.safe_yaml import (
    MAX_BYTES,
    MAX_DEPTH,
    Node,
    read_yaml,
)
from jupyter_mlinfn.model.errors import InputError
from tests.environments.locks.making import yaml_text


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


def test_values_stay_what_was_written() -> None:
    text = "version: 3.10\nhash: 12345678901234567890\nempty:\nno: no\nyes: true\nq: 'null'\nn: ~\n"
    assert plain(read_yaml(text, where="x.yml")) == {
        "version": "3.10",
        "hash": "12345678901234567890",
        "empty": None,
        "no": "no",
        "yes": True,
        "q": "null",
        "n": None,
    }


def test_every_value_has_its_line() -> None:
    root = read_yaml("a:\n  - b\n  - c: d\n", where="x.yml")
    assert isinstance(root.value, dict)
    items = root.value["a"].value
    assert isinstance(items, list)
    assert [item.line for item in items] == [2, 3]


BOMB = "\n".join(["a: &a [x, x]", *(f"{c}: &{c} [*{p}, *{p}]" for p, c in pairwise("abcdefghi"))])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "line 2 cannot be read: repetition by reference"),
        ("a: !!python/object/apply:os.system [id]", "the tag"),
        ("a: !!python/name:os.system", "the tag"),
        ("!mine x", "the tag"),
        ("a: !!binary aGk=", "the tag"),
        ("a: 1\nb: 2\na: 3", "line 3 cannot be read: 'a' is there twice (first in line 1)"),
        ("{<<: {a: 1}}", "merge keys"),
        ("[a, b]: c", "a key is no plain word"),
        ("a: b\n---\nc: d", "line 2 cannot be read: a second document"),
        ("a: b: c", "line 1"),
        ("a:\n\t- b", "line 2"),
        ("a: [b", "line 1"),
        ("", "it is empty"),
        ("# nothing", "it is empty"),
        ("a: \x00", "characters that no text file should have"),
        ("a: \ud800", "characters that no text file should have"),
        ("[" * 5000, f"more than {MAX_DEPTH} levels"),
        ("\n".join(" " * 2 * i + "a:" for i in range(40)), f"more than {MAX_DEPTH} levels"),
    ],
)
def test_what_is_refused_says_where_and_what(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_yaml(text, where="environment.yml")
    assert said in refused.value.text
    assert refused.value.text.startswith("environment.yml")
    assert refused.value.hint
    assert refused.value.code == "bad-yaml"


def test_the_size_is_looked_at_before_anything_is_parsed() -> None:
    with pytest.raises(InputError, match=r"at most 8 MiB"):
        read_yaml("a" * (MAX_BYTES + 1), where="x.yml")


def test_a_file_of_the_largest_size_does_not_take_for_ever() -> None:
    # Quadratic work would run into the test's time limit.
    with pytest.raises(InputError):
        read_yaml("- [" * (MAX_BYTES // 3), where="x.yml")
    assert read_yaml('"' + "a" * (MAX_BYTES - 2) + '"', where="x.yml").line == 1


TREES = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1), inner,
            max_size=4,
        ).filter(lambda d: "<<" not in d)
    ),
    max_leaves=12,
)  # fmt: skip


def depth(tree: Any) -> int:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + max((depth(value) for value in inner), default=-1)


@settings(max_examples=200, deadline=None)
@given(TREES.filter(lambda tree: depth(tree) <= MAX_DEPTH and tree is not None))
def test_what_a_yaml_writer_writes_is_read_back(tree: Any) -> None:
    assert plain(read_yaml(yaml_text(tree), where="x.yml")) == tree


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text("a:-[]{}&*!|>'\"#\n ,?%@`\t", max_size=60))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with suppress(InputError):
        assert read_yaml(text, where="x.yml").line >= 1
