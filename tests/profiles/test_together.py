"""Sessions of groups, without a hub: whose account, whose offer, what plan, which rights."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.plans import Identity, Plan
from jupyter_mlinfn.profiles.choice import choose
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.offer import make_offer
from jupyter_mlinfn.profiles.places import ProfilesError
from jupyter_mlinfn.profiles.planning import make_plan
from jupyter_mlinfn.profiles.reading import read_text
from jupyter_mlinfn.profiles.spawners.session import arguments
from jupyter_mlinfn.profiles.spawners.sites import LocalSite
from jupyter_mlinfn.profiles.together import (
    account_of,
    groups_together,
    identity_of_group,
    is_account,
    role_of,
)
from tests.profiles.files import ANNA, TEXT, book, person, tried

TOGETHER = """
[[profile]]
name = "together"
title = "Working together"
groups = ["users/ai-infn", "cms"]
images = ["lab"]
cpu = [4]
memory = ["8GiB"]
accelerators = ["mig-small"]
volumes = ["collab"]
optional_volumes = ["cms", "scratch"]
collaborative = true
time = { max = "12h", idle = "2h" }
"""
FILE = TEXT + TOGETHER
BOOK = book(FILE)
MEMBERS = "users/ai-infn"
GROUP = identity_of_group(MEMBERS)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
paths = st.one_of(names, st.sampled_from(["a/b", "a-b", "a_b", "A/b", "a/b/", "x" * 300]))


def plan(identity: Identity, text: str = FILE, **options: object) -> Plan:
    known = book(text)
    offer = make_offer(known, identity)
    return make_plan(known, offer, choose(offer, options), identity)


@given(one=paths, other=paths)
@tried(300)
def test_no_two_groups_share_an_account_and_every_account_is_safe(one: str, other: str) -> None:
    assert (account_of(one) == account_of(other)) == (one == other)
    assert re.fullmatch(r"collab-[a-z][a-z0-9]*(?:-+[a-z0-9]+)*", account_of(one))
    assert len(account_of(one)) <= 63
    assert is_account(account_of(one))
    assert slug(account_of(one)) == identity_of_group(one).slug


def test_paths_are_never_flattened() -> None:
    ends = {account_of(path) for path in ("a/admin", "b/admin", "admin", "a-admin")}
    assert len(ends) == 4


@pytest.mark.parametrize("name", ["collab-x", "COLLAB-x", "Collab-", account_of("cms")])
def test_such_names_are_no_person_s(name: str) -> None:
    assert is_account(name)


@pytest.mark.parametrize("name", ["collab", "colla", "a-collab-x", "collaboration"])
def test_other_names_are(name: str) -> None:
    assert not is_account(name)


def test_the_groups_are_those_of_profiles_for_working_together_alone() -> None:
    assert groups_together(BOOK) == ("cms", "users/ai-infn")
    assert groups_together(book()) == ()


@given(group=paths)
@tried(100)
def test_the_role_has_the_least_scopes_and_only_of_this_account(group: str) -> None:
    role = role_of(group)
    account = account_of(group)
    assert set(role.scopes) == {f"access:servers!user={account}", f"servers!user={account}"}
    assert re.fullmatch(r"[a-z][a-z0-9\-_~.]{1,253}[a-z0-9]", role.name)  # JupyterHub's rule
    assert role.name.endswith(account)
    assert len(role.description) <= 255


def test_a_group_is_offered_its_profiles_for_working_together_and_nothing_else() -> None:
    assert [one.name for one in make_offer(BOOK, GROUP).profiles] == ["together"]
    assert not make_offer(BOOK, identity_of_group("admins/ai-infn")).profiles


def test_a_person_is_not_offered_them_and_is_told_where_they_are() -> None:
    offer = make_offer(BOOK, ANNA)
    assert offer.find("together") is None
    with pytest.raises(Refused, match=r"working together.*page Collaboration"):
        choose(offer, {"profile": "together"})
    with pytest.raises(Refused, match="not for any of your groups"):
        choose(make_offer(BOOK, person("otto")), {"profile": "together"})


@pytest.mark.parametrize("name", ["cpu", "gpu-small", "staff"])
def test_a_group_starts_no_profile_of_a_person(name: str) -> None:
    with pytest.raises(Refused, match=f"'{name}' is not for any"):
        plan(GROUP, profile=name)


def test_a_group_without_a_profile_any_more_is_told_so() -> None:
    with pytest.raises(Refused, match="users/ai-infn has no session of its own any more"):
        plan(GROUP, text=TEXT)
    with pytest.raises(Refused, match="has no session of its own any more"):
        plan(GROUP, text=FILE.replace("collaborative = true", "collaborative = false"))


def test_the_plan_is_the_group_s_in_everything() -> None:
    made = plan(GROUP, areas=["scratch"])
    assert made.identity == GROUP
    assert made.collaborative
    assert made.charge == MEMBERS
    assert made.pool is not None
    assert made.limits.idle == 7200
    assert [area.group for area in made.areas if area.kind == "collabspace"] == [MEMBERS]
    rooms = [mount for mount in made.mounts if mount.source.startswith("/srv/data/")]
    assert [(one.source, one.read_only) for one in rooms] == [
        (f"/srv/data/groups/{slug(MEMBERS)}", False)
    ]


def test_the_file_says_who_pays_where_it_says_so() -> None:
    text = FILE.replace("collaborative = true", 'collaborative = true\ncharge = "cms"')
    assert plan(GROUP, text=text).charge == "cms"
    text = FILE.replace("collaborative = true", 'collaborative = true\ncharge = "choose"')
    assert plan(GROUP, text=text).charge == MEMBERS
    with pytest.raises(InputError, match="has no charge 'cms'"):
        plan(GROUP, text=text, charge="cms")


@given(
    group=st.sampled_from(["cms", MEMBERS]),
    areas=st.lists(st.sampled_from(["cms", "scratch", "collab"]), unique=True),
)
@tried(30)
def test_no_plan_of_a_group_shows_a_person_s_or_another_group_s_folder(
    group: str, areas: list[str]
) -> None:
    made = plan(identity_of_group(group), areas=areas)
    (other,) = {"cms", MEMBERS} - {group}
    owned = [one for one in made.mounts if one.kind == "bind"]
    assert owned
    assert {one.shared_with for one in owned} == {slug(group)}
    assert not any(slug(other) in one.source.split("/") for one in made.mounts)
    assert not any("homes" in one.source for one in made.mounts)


ROWS = [
    ('volumes = ["collab"]', 'volumes = ["home", "collab"]', "together.volumes", "one person's"),
    ('["cms", "scratch"]', '["home"]', "together.optional_volumes", "one person's"),
    ('"users/ai-infn", "cms"]', '"*"]', "together.groups", "'*' is none"),
]


@pytest.mark.parametrize(("old", "new", "place", "words"), ROWS)
def test_what_no_group_can_have_is_a_mistake_of_the_file(
    old: str, new: str, place: str, words: str
) -> None:
    head, tail = TEXT, TOGETHER.replace(old, new)
    assert tail != TOGETHER
    with pytest.raises(ProfilesError) as caught:
        read_text(head + tail, "profiles.toml")
    (problem,) = caught.value.problems
    assert place in (problem.field or "")
    assert words in problem.text


def test_copies_of_one_person_s_folder_are_hers_too() -> None:
    text = FILE.replace('source = "/srv/backups/groups/{group}"', 'source = "/srv/backups/{user}"')
    with pytest.raises(ProfilesError) as caught:
        read_text(text, "profiles.toml")
    assert any("'collab' is one person's" in one.text for one in caught.value.problems)


def test_editing_together_is_on_in_a_group_s_session_and_off_in_any_other() -> None:
    site = LocalSite()
    asked = arguments(plan(GROUP), site)
    assert "--YDocExtension.disable_rtc=False" in asked
    assert "--HubOAuth.cache_max_age=60" in asked
    alone = arguments(plan(ANNA, profile="gpu-small"), site)
    assert alone == ["--YDocExtension.disable_rtc=True"]
