"""The fields of the spawn page become the options that a REST call would carry."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.hub.options import from_form


def test_only_the_fields_of_the_chosen_card_count() -> None:
    form = {
        "profile": ["gpu"],
        "cpu--small": ["2"],
        "cpu--gpu": ["4"],
        "accelerator--gpu": ["slice"],
        "resources.fpga--gpu": ["1"],
        "areas--gpu": ["", "extra"],
    }
    assert from_form(form) == {
        "profile": "gpu",
        "cpu": "4",
        "accelerator": "slice",
        "resources": {"fpga": "1"},
        "areas": ["extra"],
    }


def test_no_box_ticked_is_no_area_at_all_and_not_the_default() -> None:
    assert from_form({"profile": ["gpu"], "areas--gpu": [""]})["areas"] == []


def test_an_empty_form_is_the_default() -> None:
    assert from_form({}) == {}


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ({"image": ["evil"], "profile": ["p"]}, {"image": "evil", "profile": "p"}),
        ({"profile": ["p", "q"]}, {"profile": ["p", "q"]}),
        ({"profile": ["p"], "cpu--p": ["1", "2"]}, {"profile": "p", "cpu": ["1", "2"]}),
        ({"profile": ["p"], "mem_limit--p": ["1"]}, {"profile": "p", "mem_limit--p": "1"}),
        ({"profile": ["p"], "x_file": [b"\0"]}, {"profile": "p", "x_file": b"\0"}),
        ({"profile": ["p"], "--p": ["1"]}, {"profile": "p", "--p": "1"}),
    ],
)
def test_what_nobody_knows_is_handed_on_to_be_refused_by_its_name(
    form: dict[str, list[object]], options: dict[str, object]
) -> None:
    assert from_form(form) == options
