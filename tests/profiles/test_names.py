"""Names made safe: whatever a login service sends, two people never share a slug."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_mlinfn.profiles.names import LONGEST, slug

LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
NAMES = st.text(st.characters(codec=None), max_size=400)
CLOSE = st.text(st.sampled_from("aAbB09-_./ @é\u0301\u00e9\n"), max_size=60)


@given(NAMES | CLOSE)
@example("")
@example("..")
@example("-")
@example("１２")
@example("\ud800")
@example("İ" * 80)
def test_a_slug_is_a_label_a_container_and_a_folder(name: str) -> None:
    made = slug(name)
    assert LABEL.fullmatch(made), made
    assert len(made) <= LONGEST


@given(NAMES | CLOSE, NAMES | CLOSE)
@example("a_b", "ab")
@example("a_b", "a-b")
@example("A", "a")
@example(unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"))
@example("a" * 300, "a" * 299 + "b")
@example("a" * 300, "a" * 301)
@example("", "x")
@example("..", ".")
@example("ada", "ada\n")
@example("a/admin", "b/admin")
@example("lhcb,atlas", "lhcb atlas")
@example("lhcb:atlas", "lhcb-atlas")
def test_two_names_stay_apart(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


@given(NAMES | CLOSE)
def test_nobody_can_be_named_like_the_slug_of_another(name: str) -> None:
    made = slug(name)
    if made != name:
        assert slug(made) != made


@pytest.mark.parametrize("name", ["ada", "ada-lovelace", "a1", "users", "a" * LONGEST])
def test_a_plain_name_stays(name: str) -> None:
    assert slug(name) == name


@pytest.mark.parametrize(
    "name", ["root", "nobody", "kube-system", "default", "1000", "a--b", "a-", "-a", "Ada", "a.b"]
)
def test_what_means_something_else_by_itself_does_not_stay(name: str) -> None:
    assert re.fullmatch(r".+--[a-z2-7]{16}", slug(name))


def test_the_person_is_recognised() -> None:
    assert slug("Ada.Lovelace@example.org").startswith("ada-lovelace-example-org--")
    assert slug("users/ai-infn").startswith("users-ai-infn--")


def test_the_form_is_for_ever() -> None:
    """Folders and volumes are named by it: another hash would lose them."""
    assert slug("a_b") == "a-b--msh2tmy3y77x5oiu"
