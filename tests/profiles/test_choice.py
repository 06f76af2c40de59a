"""Choices: only names of what this person is offered, and a last choice that went stale."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.plans import Choice, Resource
from jupyter_mlinfn.profiles.choice import choose, remembered
from jupyter_mlinfn.profiles.offer import make_offer
from tests.profiles.files import ANNA, STAFF, STRANGER, TEXT, book, person

GPU = {"profile": "gpu-small"}


def test_nothing_said_is_the_first_profile_with_the_first_of_everything() -> None:
    choice = choose(make_offer(book(), ANNA), {})
    assert choice == Choice(
        profile="cpu", image="lab", cpu=1.0, memory=2 * 2**30, accelerator=None, areas=()
    )


def test_form_and_rest_say_the_same_in_texts_and_in_numbers() -> None:
    offer = make_offer(book(), ANNA)
    form = {**GPU, "cpu": "4", "memory": "1536MiB", "resources": {"fpga": "1"}, "areas": ["cms"]}
    rest = {**GPU, "cpu": 4, "memory": 1536 * 2**20, "resources": {"fpga": 1}, "areas": ["cms"]}
    expected = Choice(
        profile="gpu-small",
        image="lab",
        cpu=4.0,
        memory=1536 * 2**20,
        accelerator="none",
        areas=("cms",),
        charge="users/ai-infn",
        resources=(Resource(name="fpga", count=1),),
    )
    assert choose(offer, form) == choose(offer, rest) == expected


def test_volumes_that_are_always_there_may_be_named_and_change_nothing() -> None:
    choice = choose(make_offer(book(), ANNA), {**GPU, "areas": ["home", "scratch", "cms"]})
    assert choice.areas == ("cms", "scratch")


def test_all_that_is_wrong_is_told_at_once() -> None:
    options = {**GPU, "cpu": 3, "memory": "8Gib", "accelerator": "mig-smal", "charge": "cms"}
    with pytest.raises(InputError) as caught:
        choose(make_offer(book(), ANNA), options)
    assert [problem.field for problem in caught.value.problems] == [
        "cpu", "memory", "accelerator", "charge",
    ]  # fmt: skip
    texts = [problem.text for problem in caught.value.problems]
    assert texts[0] == "'With a slice' has no cpu 3. You are offered: 2, 4."
    assert "Did you mean '8GiB'?" in texts[1]
    assert "Did you mean 'mig-small'?" in texts[2]


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "staff"},
        {**GPU, "image": "staff"},
        {**GPU, "accelerator": "mig-large"},
    ],
)
def test_what_exists_for_others_is_refused_and_not_unknown(options: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        choose(make_offer(book(), ANNA), options)
    assert caught.value.code == "not-for-you"
    assert choose(make_offer(book(), STAFF), options).profile == options["profile"]


def test_who_is_in_no_group_of_the_file_is_told_what_to_do() -> None:
    text = TEXT.replace('groups = ["*"]', 'groups = ["cms"]')
    with pytest.raises(Refused) as caught:
        choose(make_offer(book(text), STRANGER), {})
    assert caught.value.code == "nothing-offered"
    assert "Ask an administrator" in caught.value.text


def test_a_profile_without_groups_is_nobodys() -> None:
    text = TEXT.replace('groups = ["*"]\n', "")
    offer = make_offer(book(text), person("anna", "*", "users", "ai-infn", ""))
    assert offer.profiles == ()


def test_a_choice_of_last_time_is_kept_as_far_as_it_is_still_there() -> None:
    options = {**GPU, "cpu": "4", "memory": "32GiB", "image": "staff", "gone": 1}
    choice, said = remembered(make_offer(book(), ANNA), options)
    assert (choice.profile, choice.cpu, choice.memory) == ("gpu-small", 4.0, 8 * 2**30)
    assert choice.image == "lab"
    assert len(said) == 2
    assert any("'32GiB'" in sentence for sentence in said)
    assert any("'staff'" in sentence for sentence in said)


@pytest.mark.parametrize("profile", ["pangeo", "staff", 7, ["cpu"]])
def test_a_profile_of_last_time_that_went_away_is_said(profile: object) -> None:
    choice, said = remembered(make_offer(book(), ANNA), {"profile": profile, "cpu": "99"})
    assert choice == choose(make_offer(book(), ANNA), {})
    assert len(said) == 1
    assert "no longer offered to you. 'CPU only' is chosen instead." in said[0]


def test_a_choice_that_is_still_there_is_kept_in_silence() -> None:
    offer = make_offer(book(), ANNA)
    options = {**GPU, "accelerator": "mig-small", "areas": ["scratch"]}
    assert remembered(offer, options) == (choose(offer, options), ())
    assert remembered(offer, {}) == (choose(offer, {}), ())


def test_an_offer_shown_as_json_tells_nothing_of_what_is_others() -> None:
    shown = make_offer(book(), ANNA).model_dump_json()
    assert "staff" not in shown.lower()
    assert "mig-large" not in shown
    assert "admins" not in shown
    assert "/srv/" not in shown
