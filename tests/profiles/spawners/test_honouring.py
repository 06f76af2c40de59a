"""What a spawner cannot do of a profile is said when the file is checked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.plans import Mount, Plan, Resource
from jupyter_mlinfn.profiles.document import Document
from jupyter_mlinfn.profiles.spawners.honouring import CODE, NEEDED, sentences, unhonoured
from jupyter_mlinfn.profiles.spawners.rendering import render
from jupyter_mlinfn.profiles.spawners.sites import KubeSite
from tests.profiles.spawners import plans

FPGA = {
    "schema": 1,
    "ceiling": {"cpu": 8, "memory": "64GiB", "roots": ["/srv"]},
    "image": {"ml": {"title": "ML", "reference": "registry.invalid/ml:1"}},
    "accelerator": {"a30": {"title": "A30", "model": "NVIDIA A30"}},
    "resource": {"fpga": {"title": "FPGA", "site_name": "xilinx.com/fpga-u55c"}},
    "volume": {
        "home": {
            "title": "Home", "kind": "bind", "source": "/srv/{user}", "target": "/home/{user}",
            "mode": "rw", "backup": {"source": "/srv/b/{user}", "target": "/backups"},
        },
        "claim": {"title": "Claim", "kind": "pvc", "source": "data", "target": "/data"},
        "same": {"title": "Same", "kind": "bind", "source": "/srv/s", "target": "/srv/s"},
    },
    "profile": [
        {
            "name": "all", "title": "All", "images": ["ml"], "cpu": [1], "memory": ["1GiB"],
            "accelerators": ["none", "a30"], "resources": {"fpga": 1}, "volumes": ["home"],
            "optional_volumes": ["claim"], "privileges": ["fuse"],
        },
        {"name": "bare", "title": "Bare", "cpu": [1], "memory": ["1GiB"], "volumes": ["same"]},
    ],
}  # fmt: skip
DOCUMENT = Document.model_validate(FPGA)


def fields(asked: Plan | Document, spawner: Any, site: KubeSite | None = None) -> list[str]:
    return [str(problem.field) for problem in unhonoured(asked, spawner, site)]


def test_each_broken_promise_of_a_file_is_told_with_its_profile_and_key() -> None:
    assert fields(DOCUMENT, "docker") == [
        "profile.all.resources", "profile.all.volumes", "profile.bare.images",
    ]  # fmt: skip
    assert fields(DOCUMENT, "kube") == [
        "profile.all.volumes", "profile.all.volumes", "profile.bare.images",
        "profile.bare.volumes",
    ]  # fmt: skip
    assert fields(DOCUMENT, "local") == [
        "profile.all.images", "profile.all.accelerators", "profile.all.resources",
        *["profile.all.volumes"] * 3,
    ]  # fmt: skip


def test_what_the_site_has_counts() -> None:
    site = KubeSite(roots=("/srv",), fuse_resource="smarter-devices/fuse")
    assert fields(DOCUMENT, "kube", site) == ["profile.bare.images"]
    without = KubeSite(roots=("/srv",))
    assert fields(DOCUMENT, "kube", without) == ["profile.all.privileges", "profile.bare.images"]
    made = plans.NOTHING.model_copy(
        update={
            "mounts": (
                Mount(kind="bind", source="/srv/a", target="/a", read_only=True, create=True),
            )
        }
    )
    assert fields(made, "kube", site) == ["profile.plain.volumes"]


@pytest.mark.parametrize("spawner", ["docker", "kube"])
@pytest.mark.parametrize(
    "change",
    [
        {"image": None},
        {"resources": (Resource(name="fpga", count=1),)},
        {"mounts": (Mount(kind="bind", source="/other", target="/x", read_only=True),)},
        {"privileges": frozenset({"fuse"})},
        {"mounts": (Mount(kind="pvc", source="data", target="/x", read_only=True),)},
        {},
    ],
)
def test_what_is_not_told_can_be_rendered_and_what_is_told_is_refused(
    spawner: Any, change: dict[str, Any]
) -> None:
    """The check and the adapter never disagree: nothing fails at a spawn that a check let pass."""
    plan = plans.NOTHING.model_copy(update=change)
    told = unhonoured(plan, spawner, KubeSite(roots=("/srv",)) if spawner == "kube" else None)
    outside = spawner == "docker" and "mounts" in change and change["mounts"][0].kind == "bind"
    if told or outside:  # a root of Docker is the file's own, and the file's check looks at it
        with pytest.raises(Refused):
            render(plan, spawner, ["/srv"])
    else:
        render(plan, spawner, ["/srv"])


@pytest.mark.parametrize("spawner", ["docker", "kube", "local"])
@pytest.mark.parametrize(
    "change",
    [
        {"image": None},
        {"resources": (Resource(name="fpga", count=1),)},
        {"mounts": (Mount(kind="pvc", source="data", target="/x", read_only=True),)},
        {"resources": (Resource(name="fpga", count=1),), "image": None},
        {},
    ],
)
def test_an_advisory_profile_is_started_unless_the_check_says_it_cannot_be(
    spawner: Any, change: dict[str, Any]
) -> None:
    plan = plans.NOTHING.model_copy(update={**change, "advisory": True})
    told = unhonoured(plan, spawner)
    said = sentences(plan, spawner, plan.profile)
    plan = plan.model_copy(update={"unkept": said})
    assert len(said) == sum(one.code == CODE for one in told)
    if any(one.code == NEEDED for one in told):
        with pytest.raises(Refused):
            render(plan, spawner, ["/srv"])
        return
    variables = render(plan, spawner, ["/srv"])["environment"]
    assert json.loads(variables.get("MLINFN_UNKEPT", "[]")) == list(said)


@pytest.mark.parametrize(
    ("spawner", "plan"),
    [
        ("docker", plans.EVERYTHING),
        ("docker", plans.NOTHING),
        ("kube", plans.NOTHING),
        ("local", plans.EVERYTHING_OF_A_MACHINE),
        ("local", plans.NOTHING),
    ],
)
def test_what_is_rendered_is_json(spawner: Any, plan: Plan) -> None:
    made = render(plan, spawner, ["/srv"])
    assert json.loads(json.dumps(made)) == made


def test_the_local_spawner_counts_nothing() -> None:
    plan = plans.NOTHING.model_copy(update={"resources": (Resource(name="fpga", count=1),)})
    with pytest.raises(Refused):
        render(plan, "local")


def test_two_kinds_of_devices_are_one_sentence_of_the_local_spawner() -> None:
    two = {name: {"title": name, "model": f"NVIDIA {name}"} for name in ("t4", "a30")}
    (bare,) = FPGA["profile"][1:]  # type: ignore[index]
    file = {**FPGA, "accelerator": two, "profile": [{**bare, "accelerators": list(two)}]}
    (said,) = sentences(Document.model_validate(file), "local", "bare")
    assert "which device is its own" in said
