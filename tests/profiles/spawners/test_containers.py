"""What a container of Docker may do, see and hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.web import HTTPError

from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.plans import Mount, Plan, Resource
from jupyter_mlinfn.profiles.spawners import docker, seccomp
from jupyter_mlinfn.profiles.spawners.literal import literal
from tests.profiles.spawners import plans, real

WITH_SLICE = plans.NOTHING.model_copy(update={"pool": plans.SLICE})
texts = st.text(max_size=40)


def mounts(*given: Mount) -> Plan:
    return plans.NOTHING.model_copy(update={"mounts": given})


def bind(source: str, target: str = "/x", **more: Any) -> Mount:
    return Mount(kind="bind", source=source, target=target, read_only=True, **more)


async def made(plan: Plan, *devices: str) -> dict[str, Any]:
    """What the engine is asked for."""
    spawner = real.of_docker()
    lease = plans.LEASE if devices else None
    real.apply(spawner, docker.traits(plan, plans.DOCKER, devices, lease))
    return await real.container(spawner)


@pytest.mark.parametrize("plan", [plans.NOTHING, plans.EVERYTHING], ids=["nothing", "everything"])
async def test_no_container_has_rights_of_the_host(plan: Plan) -> None:
    asked = await made(plan, *([plans.DEVICE] if plan.pool else []))
    host = asked["host_config"]
    assert not host.get("Privileged")
    assert not host.get("CapAdd")
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert not {"PidMode", "UTSMode", "UsernsMode", "CgroupParent", "VolumesFrom"} & set(host)
    assert host["IpcMode"] == "private"
    assert asked["user"] == "1000:100"
    assert host["Memory"] == host["MemorySwap"] == plan.memory
    assert host["CpuQuota"] == plan.cpu * 100_000
    assert host["PidsLimit"] > 0


async def test_without_a_device_a_container_is_told_to_have_none() -> None:
    asked = await made(plans.NOTHING)
    assert asked["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert asked["host_config"]["DeviceRequests"] == []
    assert docker.LEASE not in asked["labels"]


async def test_the_leased_device_is_asked_for_by_its_name() -> None:
    asked = await made(WITH_SLICE, plans.DEVICE)
    (request,) = asked["host_config"]["DeviceRequests"]
    assert (request["DeviceIDs"], request["Count"]) == ([plans.DEVICE], 0)
    assert asked["environment"]["NVIDIA_VISIBLE_DEVICES"] == plans.DEVICE
    assert asked["labels"][docker.LEASE] == plans.LEASE
    assert asked["labels"][docker.DEVICES] == plans.DEVICE


@pytest.mark.parametrize(
    ("plan", "devices", "lease"),
    [
        (WITH_SLICE, (), None),
        (WITH_SLICE, (plans.DEVICE,), None),
        (WITH_SLICE, (), plans.LEASE),
        (plans.NOTHING, (plans.DEVICE,), plans.LEASE),
        (WITH_SLICE, ("all",), plans.LEASE),
        (WITH_SLICE, (f"{plans.DEVICE}\n",), plans.LEASE),
        (WITH_SLICE, (f"{plans.DEVICE},GPU-1",), plans.LEASE),
        (WITH_SLICE, ("0",), plans.LEASE),
    ],
)
def test_a_device_and_its_lease_come_together_or_not_at_all(
    plan: Plan, devices: tuple[str, ...], lease: str | None
) -> None:
    with pytest.raises(Refused):
        docker.traits(plan, plans.DOCKER, devices, lease)


@pytest.mark.parametrize(
    "source",
    ["/", "/var", "/var/run", "/var/run/docker.sock", "/run", "/run/docker.sock", "/var/lib/docker",
     "/etc", "/root", "/proc", "/dev/sda", "/srv/../etc", "/srv/..", "srv/x", "", "/srv//x",
     "/srv-secret/x", "/home", "/srv", "/srv/x\0", "/srv/engine.sock"],
)  # fmt: skip
def test_a_folder_outside_of_the_roots_is_never_mounted(source: str) -> None:
    with pytest.raises(Refused):
        docker.traits(mounts(bind(source)), plans.DOCKER)
    everywhere = plans.DOCKER.model_copy(update={"roots": ("/",)})
    if not source.startswith(("/srv", "/home")):
        with pytest.raises(Refused):
            docker.traits(mounts(bind(source)), everywhere)


@pytest.mark.parametrize("kind", ["cvmfs", "nfs"])
@pytest.mark.parametrize(
    "source",
    ["../etc", "x/../../etc", "", "nfs.example.org:../x", "nfs.example.org:/x,rw", ":/x", "-h:/x",
     "nfs.example.org:x", "nfs.example.org:/x y"],
)  # fmt: skip
def test_what_is_no_repository_and_no_export_is_refused(kind: Any, source: str) -> None:
    if kind == "cvmfs" and source.startswith(("nfs", ":", "-h")):
        return
    given = Mount(kind=kind, source=source, target="/x", read_only=True)
    with pytest.raises(Refused):
        docker.traits(mounts(given), plans.DOCKER)


async def test_one_folder_can_be_seen_at_two_places_and_read_only_stays() -> None:
    asked = await made(
        mounts(bind("/srv/envs", "/a"), bind("/srv/envs", "/b"), bind("/srv/w", "/c"))
    )
    seen = [
        (one["Source"], one["Target"], one["ReadOnly"]) for one in asked["host_config"]["Mounts"]
    ]
    assert seen == [("/srv/envs", "/a", True), ("/srv/envs", "/b", True), ("/srv/w", "/c", True)]


def test_other_options_of_an_export_are_another_volume() -> None:
    def name(options: str) -> str:
        site = plans.DOCKER.model_copy(update={"nfs_options": options})
        (mount,) = docker.traits(mounts(plans.HOME), site)["mounts"]
        return str(mount["source"])

    assert name("nfsvers=4") != name("nfsvers=3")
    assert name("nfsvers=4") == name("nfsvers=4")


@settings(deadline=None, max_examples=25)
@given(texts, texts, texts)
async def test_every_text_comes_out_as_it_went_in(person: str, word: str, folder: str) -> None:
    place = "/srv/" + (folder.replace("/", "").replace("\0", "").strip(".") or "x")
    place = place.removesuffix(".sock")
    who = plans.ADA.model_copy(update={"name": person})
    plan = mounts(bind(place)).model_copy(
        update={"identity": who, "environment": (("WORD", word),), "charge": word}
    )
    asked = await made(plan)
    assert asked["labels"][docker.USER] == person
    assert asked["environment"]["WORD"] == asked["environment"]["MLINFN_CHARGE"] == word
    assert [one["Source"] for one in asked["host_config"]["Mounts"]] == [place]


@settings(deadline=None, max_examples=25)
@given(st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_literal_is_undone_by_format(value: Any) -> None:
    def undone(made: Any) -> Any:
        if isinstance(made, str):
            return made.format()
        if isinstance(made, dict):
            return {undone(key): undone(inner) for key, inner in made.items()}
        return [undone(inner) for inner in made]

    assert undone(literal(value)) == value


async def test_an_image_of_the_options_is_never_started() -> None:
    spawner = real.of_docker()
    real.apply(spawner, docker.traits(plans.NOTHING, plans.DOCKER))
    spawner.user_options = {"image": "evil.invalid/x"}
    with pytest.raises(HTTPError) as refused:
        await spawner.start()
    assert refused.value.status_code == 400
    assert spawner.image == plans.PLAIN


async def test_the_profile_of_nesting_sessions_reaches_the_engine_whole() -> None:
    fuse = plans.NOTHING.model_copy(update={"privileges": frozenset({"fuse"})})
    host = (await made(fuse))["host_config"]
    assert [one["PathOnHost"] for one in host["Devices"]] == [docker.FUSE]
    options = dict(one.split("=", 1) for one in host["SecurityOpt"] if "=" in one)
    assert json.loads(options["seccomp"]) == seccomp.nesting()
    userns = plans.NOTHING.model_copy(update={"privileges": frozenset({"userns"})})
    host = (await made(userns))["host_config"]
    assert not host.get("Devices")
    assert any(one.startswith("seccomp=") for one in host["SecurityOpt"])
    host = (await made(plans.NOTHING))["host_config"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", ["JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER", "JPY_API_TOKEN"])
def test_who_a_session_is_cannot_be_overwritten(name: str) -> None:
    plan = plans.NOTHING.model_copy(update={"environment": ((name, "x"),)})
    with pytest.raises(InputError, match=name):
        docker.traits(plan, plans.DOCKER)


async def test_ours_wins_over_what_a_profile_says() -> None:
    plan = plans.NOTHING.model_copy(
        update={"environment": (("NVIDIA_VISIBLE_DEVICES", "all"), ("MLINFN_AREAS", "[1]"))}
    )
    told = (await made(plan))["environment"]
    assert (told["NVIDIA_VISIBLE_DEVICES"], told["MLINFN_AREAS"]) == ("void", "[]")


@pytest.mark.parametrize(
    "change", [{"image": None}, {"mounts": (plans.HOME.model_copy(update={"kind": "pvc"}),)}]
)
def test_what_docker_cannot_do_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        docker.traits(plans.NOTHING.model_copy(update=change), plans.DOCKER)


def test_a_counted_resource_is_refused_and_not_forgotten() -> None:
    plan = plans.NOTHING.model_copy(update={"resources": (Resource(name="x/fpga", count=1),)})
    with pytest.raises(Refused, match="fpga"):
        docker.traits(plan, plans.DOCKER)
