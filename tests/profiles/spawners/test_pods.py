"""What a pod may do, see and hold, and where it may run; the schemas are the official ones."""

from __future__ import annotations

import itertools
import re
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.plans import Mount, Plan, Pool, Resource
from jupyter_mlinfn.profiles.spawners import kube
from jupyter_mlinfn.profiles.spawners.sites import KubeSite
from tests.profiles.spawners import goldens, offers, plans, real

A30 = Pool(name="a30", title="A30", model="NVIDIA A30")
PLANS = {"nothing": plans.NOTHING, "everything": plans.EVERYTHING_OF_A_CLUSTER}
EACH = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)


def plain(**change: Any) -> Plan:
    return plans.NOTHING.model_copy(update=change)


async def made(plan: Plan, site: KubeSite = plans.KUBE) -> dict[str, Any]:
    """The pod that KubeSpawner would send."""
    spawner = real.of_kube()
    real.apply(spawner, kube.traits(plan, site, until=plans.UNTIL))
    return await real.pod(spawner)


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
@EACH
async def test_a_pod_is_one_by_the_official_schema(plan: Plan, version: str) -> None:
    kubernetes_validate.validate(await made(plan), version, strict=True)


SHIPPED = [f"ai-infn-{profile.name}" for profile in offers.AI.profile]


@pytest.mark.parametrize("name", ["kube-everything-pod", "kube-nothing-pod", *SHIPPED])
def test_the_golden_pods_are_pods_by_the_official_schema(name: str) -> None:
    kubernetes_validate.validate(goldens.read(name), "1.37", strict=True)


@EACH
async def test_no_pod_has_rights_of_the_node_or_the_cluster(plan: Plan) -> None:
    spec = (await made(plan))["spec"]
    (container,) = spec["containers"]
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["runAsNonRoot"] is True
    assert (context["runAsUser"], context["runAsGroup"]) == (1000, 100)
    assert "privileged" not in context
    kind = context["seccompProfile"]["type"]
    assert kind == ("Localhost" if plan.privileges else "RuntimeDefault")
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert not {"hostPID", "hostIPC", "hostNetwork", "initContainers"} & set(spec)


async def test_only_a_pod_without_a_device_is_told_what_it_sees() -> None:
    """With one the device plugin tells it, and a variable of the container would hide that."""
    for plan, told in ((plain(), "void"), (plain(pool=A30), None)):
        env = (await made(plan))["spec"]["containers"][0]["env"]
        seen = {one["name"]: one["value"] for one in env}
        assert seen.get("NVIDIA_VISIBLE_DEVICES") == told


@pytest.mark.parametrize(
    ("pool", "strategy", "resource", "labels"),
    [
        (A30, "mixed", "nvidia.com/gpu", {"nvidia.com/gpu.product": "NVIDIA-A30"}),
        (A30, "single", "nvidia.com/gpu", {"nvidia.com/gpu.product": "NVIDIA-A30"}),
        (
            plans.SLICE,
            "mixed",
            "nvidia.com/mig-1g.10gb",
            {"nvidia.com/gpu.product": "NVIDIA-A100-80GB-PCIe"},
        ),
        (
            plans.SLICE,
            "single",
            "nvidia.com/gpu",
            {"nvidia.com/gpu.product": "NVIDIA-A100-80GB-PCIe-MIG-1g.10gb"},
        ),
        (
            plans.SLICE.model_copy(update={"mig": "1g.10gb+me"}),
            "mixed",
            "nvidia.com/mig-1g.10gb.me",
            {"nvidia.com/gpu.product": "NVIDIA-A100-80GB-PCIe"},
        ),
        (
            A30.model_copy(update={"resource": "nvidia.com/gpu.shared", "node": (("m", "a30"),)}),
            "mixed",
            "nvidia.com/gpu.shared",
            {"m": "a30"},
        ),
    ],
)
async def test_the_model_is_required_and_not_preferred(
    pool: Pool, strategy: Any, resource: str, labels: dict[str, str]
) -> None:
    site = plans.KUBE.model_copy(update={"strategy": strategy})
    spec = (await made(plain(pool=pool), site))["spec"]
    asked = spec["containers"][0]["resources"]
    assert asked["limits"][resource] == asked["requests"][resource] == "1"
    affinity = spec["affinity"]["nodeAffinity"]
    assert list(affinity) == ["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    told = {one["key"]: one["values"] for one in term["matchExpressions"]}
    assert told == {key: [value] for key, value in labels.items()}


@pytest.mark.parametrize(("pool", "member"), itertools.product([None, plans.SLICE], [True, False]))
async def test_a_toleration_is_for_its_pools_and_groups(pool: Pool | None, member: bool) -> None:
    groups = frozenset({"u/ml"}) if member else frozenset({"u/mlx", "ml"})
    who = plans.ADA.model_copy(update={"groups": groups})
    spec = (await made(plain(pool=pool, identity=who)))["spec"]
    keys = {one["key"] for one in spec.get("tolerations", ())}
    assert keys == ({"reserved"} if member else set()) | ({"slices"} if pool else set())


async def test_countable_resources_are_asked_for() -> None:
    fpga = Resource(name="xilinx.com/fpga-u55c", count=2)
    limits = (await made(plain(resources=(fpga,))))["spec"]["containers"][0]["resources"]["limits"]
    assert limits["xilinx.com/fpga-u55c"] == "2"
    with pytest.raises(Refused):
        kube.traits(plain(resources=(Resource(name="fpga", count=1),)), plans.KUBE)


async def test_fuse_is_a_device_by_its_name_and_never_without_one() -> None:
    fuse = plain(privileges=frozenset({"fuse"}))
    limits = (await made(fuse))["spec"]["containers"][0]["resources"]["limits"]
    assert limits["smarter-devices/fuse"] == "1"
    userns = (await made(plain(privileges=frozenset({"userns"}))))["spec"]["containers"][0]
    assert "smarter-devices/fuse" not in userns["resources"]["limits"]
    with pytest.raises(Refused):
        kube.traits(fuse, KubeSite())


async def test_volumes_and_their_mounts_fit_together() -> None:
    spec = (await made(plans.EVERYTHING_OF_A_CLUSTER))["spec"]
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert len(volumes) == len(spec["volumes"])
    seen = {one["mountPath"]: one for one in spec["containers"][0]["volumeMounts"]}
    assert {one["name"] for one in seen.values()} == set(volumes)
    wanted = [m for m in plans.EVERYTHING_OF_A_CLUSTER.mounts if m.kind != "bucket"]
    assert set(seen) == {mount.target for mount in wanted} | {kube.SHM}
    for mount in wanted:
        assert seen[mount.target]["readOnly"] is mount.read_only
    cvmfs = seen["/cvmfs/sft.cern.ch"]
    assert cvmfs["mountPropagation"] == "HostToContainer"
    assert seen["/data"]["subPath"] == "users/ada"


async def test_cvmfs_can_come_from_its_driver() -> None:
    site = plans.KUBE.model_copy(update={"cvmfs_claim": "cvmfs"})
    given = Mount(kind="cvmfs", source="sft.cern.ch", target="/cvmfs/sft", read_only=True)
    spec = (await made(plain(mounts=(given,)), site))["spec"]
    assert spec["volumes"][0]["persistentVolumeClaim"] == {"claimName": "cvmfs", "readOnly": True}
    assert spec["containers"][0]["volumeMounts"][0]["subPath"] == "sft.cern.ch"


@pytest.mark.parametrize(
    "source", ["/", "/run/docker.sock", "/var/lib/kubelet", "/srv/../etc", "/x"]
)
def test_a_folder_of_a_node_is_seen_below_its_roots_alone(source: str) -> None:
    given = Mount(kind="bind", source=source, target="/x", read_only=True)
    with pytest.raises(Refused):
        kube.traits(plain(mounts=(given,)), plans.KUBE)
    with pytest.raises(Refused):
        kube.traits(plain(mounts=(given,)), KubeSite())


def as_kubernetes_reads(text: str) -> str:
    """``$$`` is ``$``; a reference would be replaced, so there must be none."""
    assert "$(" not in re.findall(r"\$\$|\$\(", text)
    return text.replace("$$", "$")


@settings(deadline=None, max_examples=25)
@given(st.text(max_size=40), st.text(st.sampled_from("${}()aA\"'\\"), max_size=20))
async def test_every_text_comes_out_as_it_went_in(word: str, odd: str) -> None:
    plan = plain(environment=(("WORD", word), ("ODD", odd)), charge=odd)
    about = await made(plan)
    env = {one["name"]: one["value"] for one in about["spec"]["containers"][0]["env"]}
    assert as_kubernetes_reads(env["WORD"]) == word
    assert as_kubernetes_reads(env["ODD"]) == odd
    assert about["metadata"]["annotations"].get(kube.CHARGE, "") == odd
