"""Plans: everything of one session out of the file's own values."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.plans import Choice, Identity, Limits, Mount, Plan, Resource
from jupyter_mlinfn.profiles.choice import choose
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.offer import make_offer
from jupyter_mlinfn.profiles.planning import make_plan
from tests.profiles.files import ANNA, STAFF, TEXT, book, person


def plan(identity: Identity = ANNA, text: str = TEXT, **options: object) -> Plan:
    known = book(text)
    offer = make_offer(known, identity)
    return make_plan(known, offer, choose(offer, options), identity)


def test_a_plan_holds_what_was_chosen_in_the_file_s_values() -> None:
    made = plan(
        profile="gpu-small", accelerator="mig-small", areas=["scratch"], resources={"fpga": 2}
    )
    assert made.image == "harbor.example.org/ok/lab:1.2"
    assert (made.cpu, made.memory, made.shm) == (2.0, 8 * 2**30, 2**30)
    assert made.pool is not None
    assert (made.pool.name, made.pool.mig, made.pool.slices) == ("mig-small", "1g.10gb", 1)
    assert made.resources == (Resource(name="xilinx.com/fpga-u55c", count=2),)
    assert made.limits == Limits(longest=43200, idle=7200, gpu_idle=7200, warn=1200)
    assert made.environment == (("OMP_NUM_THREADS", "2"),)
    assert made.privileges == frozenset({"fuse"})
    assert (made.on_full, made.charge, made.ports) == ("wait", "users/ai-infn", (8787,))


def test_without_a_time_of_its_own_a_session_lasts_as_long_as_the_ceiling() -> None:
    assert plan(profile="cpu").limits == Limits(longest=86400)


def test_mounts_and_areas_come_in_pairs_once_for_each_group() -> None:
    made = plan(profile="gpu-small", areas=["scratch"])
    group = slug("users/ai-infn")
    assert made.mounts == (
        Mount(
            kind="bind",
            source="/srv/backups/groups/cms",
            target="/backups/cms",
            read_only=True,
            create=True,
            shared_with="cms",
        ),
        Mount(
            kind="bind",
            source=f"/srv/backups/groups/{group}",
            target=f"/backups/{group}",
            read_only=True,
            create=True,
            shared_with=group,
        ),
        Mount(
            kind="bind",
            source="/srv/data/groups/cms",
            target="/collab/cms",
            read_only=False,
            create=True,
            shared_with="cms",
        ),
        Mount(
            kind="bind",
            source=f"/srv/data/groups/{group}",
            target=f"/collab/{group}",
            read_only=False,
            create=True,
            shared_with=group,
        ),
        Mount(
            kind="bind",
            source="/srv/data/homes/anna",
            target="/home/jovyan",
            read_only=False,
            create=True,
        ),
        Mount(kind="tmpfs", source="", target="/scratch", read_only=False, size=4 * 2**30),
    )
    areas = {area.name: area for area in made.areas}
    assert list(areas) == ["home", "collab--cms", f"collab--{group}", "scratch"]
    assert (areas["home"].audience, areas["home"].quota) == ("you", 100 * 2**30)
    assert areas["collab--cms"].group == "cms"
    assert areas["collab--cms"].snapshots == "/backups/cms"
    assert (areas["scratch"].survives, areas["home"].survives) == (False, True)


def test_names_go_into_paths_as_slugs_and_never_as_they_are() -> None:
    evil = person("../../etc", "users/ai-infn")
    made = plan(evil, profile="gpu-small")
    sources = [mount.source for mount in made.mounts]
    assert f"/srv/data/homes/{slug('../../etc')}" in sources
    assert not any(".." in source for source in sources)


def test_a_group_that_a_volume_is_not_for_gets_none_of_it() -> None:
    made = plan(person("anna", "users/ai-infn", "atlas"), profile="gpu-small")
    assert [area.group for area in made.areas if area.kind == "collabspace"] == ["users/ai-infn"]


def test_a_volume_for_all_groups_comes_once_for_each() -> None:
    text = TEXT.replace('groups = ["users/ai-infn", "cms"]', 'groups = ["*"]')
    made = plan(person("anna", "users/ai-infn", "atlas"), text=text, profile="gpu-small")
    groups = [area.group for area in made.areas if area.kind == "collabspace"]
    assert groups == ["atlas", "users/ai-infn"]


@pytest.mark.parametrize("slug_", ["..", "../groups/cms", "a/b", "", "a\n", ".", "A"])
def test_a_slug_that_is_none_makes_no_plan(slug_: str) -> None:
    with pytest.raises(Refused) as caught:
        plan(Identity(name="x", slug=slug_, groups=frozenset({"users/ai-infn"})))
    assert caught.value.code == "unsafe-name"


def test_a_folder_of_one_group_needs_no_safe_form_of_its_name() -> None:
    text = TEXT.replace(
        '[[profile]]\nname = "cpu"',
        '[volume.ml]\ntitle = "ML"\nkind = "bind"\ngroups = ["users/ai-infn"]\n'
        'source = "/srv/data/ml"\ntarget = "/collab-ml"\nmode = "rw"\n\n[[profile]]\nname = "cpu"',
        1,
    ).replace("cpu = [1, 0.5]", 'cpu = [1]\nvolumes = ["ml"]')
    (mount,) = plan(text=text).mounts
    assert (mount.source, mount.shared_with) == ("/srv/data/ml", slug("users/ai-infn"))
    (area,) = plan(text=text).areas
    assert (area.kind, area.audience, area.group) == ("collabspace", "group", "users/ai-infn")
    assert plan(person("otto"), text=text).mounts == ()


def test_what_one_group_reads_is_told_as_that_group_s() -> None:
    text = TEXT.replace('title = "CMS software"', 'title = "CMS software"\ngroups = ["cms"]')
    areas = {area.name: area for area in plan(text=text, profile="gpu-small", areas=["cms"]).areas}
    assert (areas["cms"].audience, areas["cms"].group) == ("group", "cms")


def test_a_choice_that_never_was_chosen_is_judged_all_the_same() -> None:
    known = book()
    offer = make_offer(known, ANNA)
    with pytest.raises(InputError):
        make_plan(known, offer, Choice(profile="cpu", memory=2**40), ANNA)
    with pytest.raises(Refused):
        make_plan(known, offer, Choice(profile="staff"), ANNA)


def test_what_another_person_is_offered_makes_no_plan() -> None:
    known = book()
    offer = make_offer(known, STAFF)
    with pytest.raises(Refused) as caught:
        make_plan(known, offer, choose(offer, {"profile": "staff"}), ANNA)
    assert caught.value.code == "stale-offer"


def test_what_an_older_file_offered_makes_no_plan() -> None:
    offer = make_offer(book(TEXT + "\n"), ANNA)
    with pytest.raises(Refused):
        make_plan(book(), offer, choose(offer, {}), ANNA)
