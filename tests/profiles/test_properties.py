"""What holds for any choice, any person and any group: tried with thousands of them.

Whatever is accepted was offered; nothing is above the ceiling; no mount leaves its root.
"""

from __future__ import annotations

import posixpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.plans import Identity, Plan
from jupyter_mlinfn.profiles.choice import KEYS, choose, remembered
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.offer import Offer, make_offer
from jupyter_mlinfn.profiles.planning import make_plan
from tests.profiles.files import book, tried

pytestmark = pytest.mark.slow

BOOK = book()
GROUPS = ("users/ai-infn", "admins/ai-infn", "cms")
WORDS = (
    "cpu", "gpu-small", "staff", "lab", "none", "mig-small", "mig-large", "home", "collab", "cms",
    "scratch", "fpga", "1", "0.5", "2", "4", "16", "2GiB", "8GiB", "16GiB", "64GiB", *GROUPS,
)  # fmt: skip

names = st.one_of(st.text(max_size=80), st.sampled_from(["..", "root", "a/../..", "anna"]))
people = st.builds(
    lambda name, groups: Identity(name=name, slug=slug(name), groups=groups),
    names,
    st.frozensets(st.one_of(st.sampled_from(GROUPS), names), max_size=4),
)
atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=9),
)
values = st.one_of(
    atoms, st.lists(atoms, max_size=3), st.dictionaries(st.sampled_from(WORDS), atoms, max_size=2)
)
wild = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=8)), values, max_size=4)


@st.composite
def sane(draw: st.DrawFn) -> dict[str, Any]:
    """Options of which most are offered to somebody."""
    asked = {
        "profile": st.sampled_from(["cpu", "gpu-small", "staff"]),
        "image": st.sampled_from(["lab", "staff"]),
        "cpu": st.sampled_from([1, 0.5, "2", "4", 16]),
        "memory": st.sampled_from(["2GiB", "8GiB", 2**34, "64GiB"]),
        "accelerator": st.sampled_from(["none", "mig-small", "mig-large"]),
        "areas": st.lists(st.sampled_from(["cms", "scratch", "home", "collab"]), max_size=3),
        "charge": st.sampled_from(GROUPS),
        "resources": st.dictionaries(st.just("fpga"), st.integers(0, 3), max_size=1),
    }
    keys = draw(st.sets(st.sampled_from(sorted(asked)), max_size=4))
    return {key: draw(asked[key]) for key in sorted(keys)}


def holds(plan: Plan, offer: Offer, identity: Identity) -> None:
    """Everything of a plan that must be true whatever was asked."""
    profile = offer.find(plan.profile)
    assert profile is not None
    assert plan.image in [BOOK.image[image.name].reference for image in profile.images]
    assert plan.cpu in profile.cpu
    assert plan.memory in [size.amount for size in profile.memory]
    pools = [accelerator.pool for accelerator in profile.accelerators]
    assert plan.pool in (pools or [None])
    assert plan.charge in (profile.charge or (None,))
    most = {BOOK.resource[entry.name].site_name: entry.most for entry in profile.resources}
    assert all(entry.count <= most[entry.name] for entry in plan.resources)
    under_the_ceiling(plan)
    inside(plan, identity)


def under_the_ceiling(plan: Plan) -> None:
    ceiling = BOOK.ceiling
    assert plan.cpu <= ceiling.cpu
    assert max(plan.memory, plan.shm or 0) <= ceiling.memory
    assert plan.limits.longest is not None
    assert ceiling.time is not None
    assert plan.limits.longest <= ceiling.time
    assert plan.pool is None or plan.pool.slices <= ceiling.slices


def inside(plan: Plan, identity: Identity) -> None:
    for mount in plan.mounts:
        assert mount.target == posixpath.normpath(mount.target)
        if mount.kind == "bind":
            assert mount.source == posixpath.normpath(mount.source)
            assert any(
                posixpath.commonpath([mount.source, root]) == root != mount.source
                for root in BOOK.ceiling.roots
            )
    groups = {slug(group) for group in identity.groups}
    assert {mount.shared_with for mount in plan.mounts} <= {None, *groups}
    assert len({mount.target for mount in plan.mounts}) == len(plan.mounts)
    assert len({area.name for area in plan.areas}) == len(plan.areas)


@tried(400)
@given(people, st.one_of(wild, sane()))
def test_what_is_accepted_was_offered(identity: Identity, options: dict[str, Any]) -> None:
    offer = make_offer(BOOK, identity)
    try:
        choice = choose(offer, options)
    except (InputError, Refused):
        return
    holds(make_plan(BOOK, offer, choice, identity), offer, identity)


@tried(200)
@given(people, st.one_of(wild, sane()))
def test_a_choice_of_last_time_always_ends_in_a_plan(
    identity: Identity, options: dict[str, Any]
) -> None:
    offer = make_offer(BOOK, identity)
    choice, _ = remembered(offer, options)
    holds(make_plan(BOOK, offer, choice, identity), offer, identity)


@tried(200)
@given(people)
def test_nobody_is_offered_what_is_for_groups_of_others(identity: Identity) -> None:
    offer = make_offer(BOOK, identity)
    for profile in BOOK.profile:
        is_for_her = "*" in profile.groups or set(profile.groups) & identity.groups
        assert (offer.find(profile.name) is not None) <= bool(is_for_her)
        assert (profile.name in offer.closed) == (offer.find(profile.name) is None)
