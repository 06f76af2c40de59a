"""The spawn page as HTML: what is free, what can be chosen, what was chosen last, all escaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

from jupyter_mlinfn.hub.free import free_now
from jupyter_mlinfn.hub.options import from_form
from jupyter_mlinfn.hub.page import LONG, Page, make_page, render
from jupyter_mlinfn.model.leases import PoolState
from jupyter_mlinfn.model.plans import Identity
from jupyter_mlinfn.profiles.choice import choose
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.offer import Offer, make_offer
from jupyter_mlinfn.profiles.reading import read_text

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).astimezone()
HOSTILE = "<script>alert(1)</script>&\\\"'"
OFFER = f"""\
schema = 1

[ceiling]
cpu = 8
memory = "64GiB"
roots = ["/srv"]
registries = ["harbor.example.org/"]

[image.lab]
title = "JupyterLab"
reference = "harbor.example.org/lab:1"

[image.root]
title = "{HOSTILE}"
reference = "harbor.example.org/root:1"

[accelerator.slice]
title = "A100 slice"
model = "NVIDIA A100 80GB PCIe"
mig = "1g.10gb"

[resource.fpga]
title = "FPGA"
site_name = "xilinx.com/fpga"

[volume.data]
title = "Data"
kind = "bind"
source = "/srv/data"
target = "/data"

[[profile]]
name = "small"
title = "Small"
description = "{HOSTILE}"
groups = ["*"]
cpu = [1]
memory = ["2GiB"]
images = ["lab"]

[[profile]]
name = "gpu"
title = "With a GPU"
groups = ["users/ai-infn"]
images = ["lab", "root"]
cpu = [2, 4]
memory = ["8GiB", "16GiB"]
accelerators = ["none", "slice"]
resources = {{ fpga = 2 }}
optional_volumes = ["data"]
time = {{ max = "12h", gpu_idle = "2h" }}
charge = "choose"
"""
BOOK: Book = read_text(OFFER, "profiles.toml").book


class Fields(HTMLParser):
    """What a browser without a script would post."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: dict[str, list[str]] = {}
        self.offered: dict[str, list[str]] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        name, value = told.get("name") or self._select, told.get("value") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" or (tag == "input" and told.get("type") in ("radio", "checkbox")):
            self.offered.setdefault(name, []).append(value)
            if "selected" in told or "checked" in told:
                self.posted.setdefault(name, []).append(value)
        elif tag == "input":
            self.posted.setdefault(name, []).append(value)


def offer(*groups: str) -> Offer:
    return make_offer(BOOK, Identity(name="ada", slug="ada", groups=frozenset(groups)))


def page(*groups: str, last: dict[str, object] | None = None, free: int = 3) -> Page:
    state = PoolState(
        pool="slice", total=14, free=free, waiting=2, next_free=NOW + timedelta(hours=1)
    )
    return make_page(offer(*groups), last or {}, [state], NOW, groups=groups)


def fields(made: Page) -> Fields:
    parser = Fields()
    parser.feed(render(made))
    return parser


def test_what_is_free_now_is_said_with_the_next_planned_end() -> None:
    made = render(page("users/ai-infn"))
    told = re.sub(r"<[^>]+>", "", made)
    at = f"{NOW + timedelta(hours=1):%H:%M}"
    assert f"A100 slice: 3 of 14 free, next planned end {at}, 2 people waiting" in told
    assert "A100 slice · none of 14 free" in render(page("users/ai-infn", free=0))


def test_a_pool_without_devices_is_not_called_full() -> None:
    told = free_now(PoolState(pool="slice", total=0, free=0), "A100 slice", NOW)
    assert told.count + told.more == "none here at the moment."


def test_a_person_sees_her_profiles_alone() -> None:
    made = render(page())
    assert "Small" in made
    assert "With a GPU" not in made
    assert "A100" not in made


def test_what_the_page_posts_without_a_script_is_a_choice_of_the_offer() -> None:
    mine = offer("users/ai-infn")
    posted = fields(page("users/ai-infn", last={"profile": "gpu"})).posted
    choice = choose(mine, from_form(posted))
    assert (choice.profile, choice.image, choice.cpu, choice.accelerator) == (
        "gpu", "lab", 2.0, "none",
    )  # fmt: skip
    assert choice.areas == ()


def test_everything_that_the_page_offers_is_accepted() -> None:
    mine, seen = offer("users/ai-infn"), fields(page("users/ai-infn"))
    for name, values in seen.offered.items():
        for value in values:
            form = {"profile": ["gpu"], name: [value]}
            choose(mine, from_form(form))


def test_choices_are_there_only_where_the_profile_offers_them() -> None:
    names = set(fields(page("users/ai-infn")).offered)
    assert names == {
        "profile", "image--gpu", "cpu--gpu", "memory--gpu", "accelerator--gpu",
        "resources.fpga--gpu", "areas--gpu",
    }  # fmt: skip


def test_the_last_choice_is_chosen_again() -> None:
    last: dict[str, object] = {
        "profile": "gpu", "image": "root", "cpu": "4", "memory": "16GiB",
        "accelerator": "slice", "areas": ["data"], "resources": {"fpga": "1"},
    }  # fmt: skip
    posted = fields(page("users/ai-infn", last=last)).posted
    assert from_form(posted) == last | {"areas": ["data"]}


def test_a_last_choice_that_is_gone_is_said_and_the_default_is_chosen() -> None:
    made = page(last={"profile": "gpu", "image": HOSTILE})
    assert "no longer" in made.said[0]
    assert fields(made).posted["profile"] == ["small"]
    assert "<script>" not in render(made)


def test_texts_of_people_and_admins_stay_text() -> None:
    made = render(page("users/ai-infn", HOSTILE))
    assert "<script" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made


def test_nothing_offered_says_so_with_the_groups() -> None:
    empty = offer("users/x").model_copy(update={"profiles": ()})
    made = render(make_page(empty, {}, [], NOW, groups=["users/<b>x</b>"]))
    assert "nothing here that you may start" in made
    assert "users/&lt;b&gt;x&lt;/b&gt;" in made


def test_a_wrong_file_is_told_to_whom_the_page_is_told_it_is() -> None:
    assert "profiles.toml:3:" not in render(page())
    told = make_page(offer(), {}, [], NOW, problem="profiles.toml:3: <b>wrong</b>")
    assert "profiles.toml:3: &lt;b&gt;wrong&lt;/b&gt;" in render(told)


def test_no_script_and_no_polling() -> None:
    template = (Path(__file__).parents[2] / "jupyter_mlinfn/hub/templates/offer.html").read_text()
    assert not re.search(r"<script|fetch\(|setInterval|on[a-z]+=", template)


def test_a_long_name_is_never_cut_by_a_list() -> None:
    made = render(page("users/ai-infn"))
    lists = re.findall(r"<select.*?</select>", made, re.DOTALL)
    shown = [name.strip() for one in lists for name in re.findall(r">([^<]+)</option>", one)]
    assert shown
    assert max(map(len, shown)) <= LONG
    radios = re.findall(r'type="radio"[^>]*name="(accelerator--gpu)" value="([^"]+)"([^>]*)', made)
    assert ("accelerator--gpu", "slice") in {(name, value) for name, value, _ in radios}
    assert sum("checked" in rest for _, _, rest in radios) == 1


def test_of_what_any_number_may_be_taken_there_are_boxes_and_none_of_them_is_a_choice_too() -> None:
    made = render(page("users/ai-infn"))
    told = re.findall(r'<input[^>]*type="(\w+)"[^>]*name="areas--gpu" value="(\w*)"', made)
    assert told == [("hidden", ""), ("checkbox", "data")]


def test_what_is_not_kept_stands_on_the_card_it_is_of() -> None:
    told = {"gpu": ("Docker does not count 'fpga'.",), "small": ()}
    made = make_page(offer("users/ai-infn"), {}, (), NOW, unkept=told)
    assert {card.name: card.unkept for card in made.cards} == told
    assert "Not kept here: Docker does not count &#39;fpga&#39;." in render(made)
