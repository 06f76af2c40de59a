"""The hub's names of people, and what IAM's claims mean."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_mlinfn.hub.login.claims import claimed_name, groups_of, shown_as
from jupyter_mlinfn.hub.login.naming import hub_name
from jupyter_mlinfn.model.errors import Refused

CLAIMS = st.text(st.characters(codec=None), max_size=300) | st.text(
    st.sampled_from("aAb0._-@ !=/é\u0301\n"), max_size=60
)


@given(CLAIMS, CLAIMS)
@example("a_b", "ab")
@example("A", "a")
@example("ada.l", "ada-l")
@example("é", "e\u0301")
@example("ada\n", "ada")
@example("ada!server=eve", "ada")
@example("..", "")
def test_two_people_never_meet(one: str, other: str) -> None:
    assert (hub_name(one) == hub_name(other)) == (one == other)


@given(CLAIMS)
@example("root")
@example("ADA")
@example("kube-system")
def test_a_name_of_the_hub_is_harmless(claim: str) -> None:
    name = hub_name(claim)
    assert re.fullmatch(r"[a-z][a-z0-9._-]{0,47}", name)
    assert name not in ("root", "kube-system")
    assert ".." not in name
    if name != claim:
        assert hub_name(name) != name, "nobody can be named like the changed name of another"


@pytest.mark.parametrize("name", ["ada", "ada.lovelace", "a_b", "ada-lovelace", "u1.x_2-c"])
def test_a_usual_name_stays(name: str) -> None:
    assert hub_name(name) == name


def test_paths_are_whole_and_exact_in_both_profiles() -> None:
    told = {
        "groups": ["users/ai-infn", "a/admin", "Users/X", "with, comma:and space"],
        "wlcg.groups": ["/users/ai-infn", "/b/admin", "//twice"],
    }
    assert groups_of(told, "iam") == set(told["groups"])
    assert groups_of(told, "wlcg") == {"users/ai-infn", "b/admin", "/twice"}


@pytest.mark.parametrize(
    "listed",
    [None, "users/ai-infn", {"users/ai-infn": 1}, [1, None, ["users/ai-infn"]], ["", "/"],
     ["users/ai-infn\n"], ["g" * 256]],
)  # fmt: skip
def test_what_is_no_list_of_groups_gives_none(listed: Any) -> None:
    assert groups_of({"groups": listed}, "iam") == frozenset()
    assert groups_of({"groups": ["users/ai-infn"]}, "wlcg") == frozenset()


@pytest.mark.parametrize("told", [{}, {"preferred_username": ""}, {"preferred_username": ["a"]}])
def test_nobody_comes_in_without_a_name(told: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="preferred_username"):
        claimed_name(told, "preferred_username")


def test_a_subject_can_be_the_name() -> None:
    assert claimed_name({"sub": "9d1a", "preferred_username": "ada"}, "sub") == "9d1a"


@pytest.mark.parametrize(
    ("given_name", "shown", "initials"),
    [("Ada Lovelace King", "Ada Lovelace King", "AL"), (None, "ada", "A"), ("  ", "ada", "A"),
     ("Ada\nX", "ada", "A"), ("x" * 200, "x" * 100, "X")],
)  # fmt: skip
def test_how_others_see_her(given_name: str | None, shown: str, initials: str) -> None:
    told = shown_as({"name": given_name}, "ada")
    assert told == {"name": "ada", "display_name": shown, "initials": initials}
