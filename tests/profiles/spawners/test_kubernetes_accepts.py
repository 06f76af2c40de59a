"""The pods of KubeSpawner, accepted and placed by a real Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_mlinfn.model.plans import Mount, Plan
from jupyter_mlinfn.profiles.spawners import kube
from tests.profiles.spawners import cluster, offers, plans, real
from tests.systems.daemons import Missing
from tests.systems.kubernetes.api import Said

pytestmark = [pytest.mark.system, pytest.mark.slow]

SCRATCH = Mount(kind="tmpfs", source="", target="/scratch", read_only=False)
CLAIM = Mount(kind="pvc", source="data/ada", target="/data", read_only=False)
HOST = Mount(kind="bind", source="/srv/envs", target="/envs", read_only=True)
A100, T4 = "NVIDIA-A100-80GB-PCIe", "Tesla-T4"


@pytest.fixture(scope="module")
def kubernetes() -> Iterator[cluster.Cluster]:
    try:
        made = cluster.start()
    except Missing as error:
        pytest.skip(f"no Kubernetes here: {error}")
    yield made
    made.stop()


async def pod(plan: Plan, name: str = "jupyter-ada") -> dict[str, Any]:
    spawner = real.of_kube()
    real.apply(spawner, kube.traits(plan, plans.KUBE, until=plans.UNTIL))
    made = await real.pod(spawner)
    made["metadata"]["name"] = name
    return made


@pytest.mark.parametrize("plan", [plans.NOTHING, plans.EVERYTHING_OF_A_CLUSTER])
async def test_kubernetes_accepts_the_pod_of_a_session(
    kubernetes: cluster.Cluster, plan: Plan
) -> None:
    told = kubernetes.accept(await pod(plan), "privileged")
    assert told["spec"]["automountServiceAccountToken"] is False
    (container,) = told["spec"]["containers"]
    # no token of the cluster came in beside our volumes
    assert {one["mountPath"] for one in container.get("volumeMounts", ())} == {
        mount.target for mount in plan.mounts if mount.kind != "bucket"
    } | ({kube.SHM} if plan.shm else set())


@pytest.mark.parametrize("profile", [one.name for one in offers.AI.profile])
async def test_kubernetes_accepts_each_profile_of_the_shipped_offer(
    kubernetes: cluster.Cluster, profile: str
) -> None:
    plan = offers.plan(offers.AI, profile=profile)
    told = kubernetes.accept(await pod(plan), "privileged")
    assert told["spec"]["containers"][0]["image"] == plan.image


async def test_kubernetes_own_standards_find_nothing_to_object_to(
    kubernetes: cluster.Cluster,
) -> None:
    """``restricted`` is the narrowest: no root, no capability, no privilege, seccomp, no host."""
    plan = plans.NOTHING.model_copy(
        update={"mounts": (SCRATCH, CLAIM), "shm": plans.GIB, "pool": plans.SLICE}
    )
    for namespace in cluster.NAMESPACES:
        kubernetes.accept(await pod(plan), namespace)
    nests = plan.model_copy(update={"privileges": frozenset({"userns", "fuse"})})
    for namespace in cluster.NAMESPACES:
        kubernetes.accept(await pod(nests), namespace)
    shown = plan.model_copy(update={"mounts": (HOST,)})
    with pytest.raises(Said, match="hostPath"):  # the standards are enforced here
        kubernetes.accept(await pod(shown), "baseline")


async def test_kubernetes_gives_the_model_that_was_offered_or_none(
    kubernetes: cluster.Cluster,
) -> None:
    slices = {"nvidia.com/mig-1g.10gb": "4"}
    kubernetes.add_node("other", {kube.PRODUCT: T4}, **slices)
    plan = plans.NOTHING.model_copy(update={"pool": plans.SLICE})
    kubernetes.accept(await pod(plan, "first"), "restricted", dry=False)
    kubernetes.until(lambda: kubernetes.is_refused("first", "restricted"), "the scheduler's look")
    assert kubernetes.node_of("first", "restricted") is None
    kubernetes.accept(await pod(plans.NOTHING, "plain"), "restricted", dry=False)
    kubernetes.until(
        lambda: kubernetes.node_of("plain", "restricted") == "other", "a place for the plain one"
    )
    kubernetes.add_node("right", {kube.PRODUCT: A100}, **slices)
    kubernetes.until(
        lambda: kubernetes.node_of("first", "restricted") == "right", "a place on the right node"
    )
