"""A plan as the traits of KubeSpawner 7: every one owned, each time.

A spawner object lives on after a failed start, so whatever an earlier plan set must be set again,
also to nothing; nothing is ever appended (a list of tolerations that grows was one of the defects
that this package is an answer to). Kubernetes' scheduler owns the devices: there is no lease and no
UUID here, but a resource name and a *required* affinity, so that a person gets the model she was
offered or waits for it. Facts from the source of kubespawner 7.1.0:

- ``start`` reads ``user_options["profile"]`` by itself and looks it up in ``profile_list``: empty.
- It runs ``str.format`` over environment, volumes, labels and annotations, and ends with a KeyError
  at the first JSON: :func:`~jupyter_mlinfn.profiles.spawners.literal.literal`.
- A container's own environment comes after the device plugin's: with a device,
  ``NVIDIA_VISIBLE_DEVICES`` is not ours to set.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.plans import Mount, Plan, Pool
from jupyter_mlinfn.profiles.spawners import session, sources
from jupyter_mlinfn.profiles.spawners.literal import literal, without_references
from jupyter_mlinfn.profiles.spawners.sites import KubeSite, Toleration

GPU = "nvidia.com/gpu"
PRODUCT = "nvidia.com/gpu.product"
"""What the GPU operator calls whole devices, and the label with a node's model."""

PROFILE = "jupyter-mlinfn/profile"
CHARGE = "jupyter-mlinfn/charge"
SHM = "/dev/shm"  # noqa: S108


def traits(plan: Plan, site: KubeSite, *, until: datetime | None = None) -> dict[str, Any]:
    """Every trait of KubeSpawner that decides image, rights, devices, limits, mounts, place.

    Raises:
        Refused: no image, a privilege or a resource that this cluster has no name for, a
            forbidden source.
    """
    if plan.image is None:
        raise Refused(f"Profile '{plan.profile}' names no image.", code="no-image")
    return {
        **_server(plan, site, until),
        "image": plan.image,
        "image_pull_policy": site.pull,
        "image_pull_secrets": list(site.pull_secrets),
        "profile_list": [],
        **_rights(plan, site),
        **_sizes(plan, site),
        **_placement(plan, site),
        **_storage(plan, site),
        "extra_labels": literal({**dict(site.labels), PROFILE: plan.profile}),
        "extra_annotations": literal({CHARGE: plan.charge} if plan.charge else {}),
        "extra_pod_config": {"enableServiceLinks": False},
        "extra_container_config": {},
        "init_containers": [],
        "extra_containers": [],
        "lifecycle_hooks": {},
        "working_dir": None,
        "delete_stopped_pods": True,
    }


def _server(plan: Plan, site: KubeSite, until: datetime | None) -> dict[str, Any]:
    told = session.environment(plan, site, None if plan.pool else (), until)
    started = session.server(plan, site)
    return {
        **started,
        "cmd": [without_references(word) for word in started["cmd"]],
        "args": [without_references(word) for word in started["args"]],
        "env_keep": [],
        "environment": literal({name: without_references(text) for name, text in told.items()}),
    }


def _rights(plan: Plan, site: KubeSite) -> dict[str, Any]:
    """Nobody is root, nobody becomes it, no token of the cluster is in the pod."""
    profile: dict[str, str] = {"type": "RuntimeDefault"}
    if plan.privileges:
        profile = {"type": "Localhost", "localhostProfile": site.nesting_profile}
    return {
        "uid": site.uid,
        "gid": site.gid,
        "fs_gid": site.fs_gid,
        "supplemental_gids": session.group_ids(plan, site),
        "privileged": False,
        "allow_privilege_escalation": False,
        "container_security_context": {
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": profile,
        },
        "pod_security_context": {},
        "service_account": None,
        "automount_service_account_token": False,
    }


def _sizes(plan: Plan, site: KubeSite) -> dict[str, Any]:
    """What she chose is both what she may use and what she is sure of."""
    counted = dict(_counted(plan, site))
    return {
        "cpu_limit": plan.cpu,
        "cpu_guarantee": plan.cpu,
        "mem_limit": plan.memory,
        "mem_guarantee": plan.memory,
        "extra_resource_limits": counted,
        "extra_resource_guarantees": counted.copy(),
    }


def _counted(plan: Plan, site: KubeSite) -> Iterator[tuple[str, str]]:
    if plan.pool is not None:
        yield resource(plan.pool, site), "1"
    if "fuse" in plan.privileges:
        if site.fuse_resource is None:
            raise Refused("This cluster has no name for /dev/fuse.", code="no-fuse")
        yield site.fuse_resource, "1"
    for asked in plan.resources:
        if "/" not in asked.name:
            raise Refused(f"'{asked.name}' is no resource of Kubernetes.", code="no-resource")
        yield asked.name, str(asked.count)


def resource(pool: Pool, site: KubeSite) -> str:
    """The resource name of a pool: its own, or what ``mig.strategy`` makes of its shape."""
    if pool.resource is not None:
        return pool.resource
    if pool.mig is None or site.strategy == "single":
        return GPU
    return f"nvidia.com/mig-{pool.mig.replace('+', '.')}"


def node_labels(pool: Pool, site: KubeSite) -> tuple[tuple[str, str], ...]:
    """The labels a node must have: the pool's own, or its model as GPU feature discovery
    writes it (with the shape behind it where all slices of a node have one)."""
    if pool.node:
        return pool.node
    product = pool.model.replace(" ", "-")
    if pool.mig is not None and site.strategy == "single":
        product = f"{product}-MIG-{pool.mig.replace('+', '.')}"
    return ((PRODUCT, product),)


def _placement(plan: Plan, site: KubeSite) -> dict[str, Any]:
    wanted = node_labels(plan.pool, site) if plan.pool else ()
    terms = [{"key": key, "operator": "In", "values": [value]} for key, value in wanted]
    return {
        "node_selector": dict(site.node_selector),
        "node_affinity_required": [{"matchExpressions": terms}] if terms else [],
        "node_affinity_preferred": [],
        "pod_affinity_required": [],
        "pod_affinity_preferred": [],
        "pod_anti_affinity_required": [],
        "pod_anti_affinity_preferred": [],
        "tolerations": [_toleration(one) for one in site.tolerations if _for(one, plan)],
        "priority_class_name": site.priority_class,
        "scheduler_name": site.scheduler,
    }


def _for(toleration: Toleration, plan: Plan) -> bool:
    named = not toleration.pools or (plan.pool is not None and plan.pool.name in toleration.pools)
    return named and (not toleration.groups or bool(toleration.groups & plan.identity.groups))


def _toleration(one: Toleration) -> dict[str, str]:
    told = {"key": one.key, "operator": "Exists"}
    if one.value is not None:
        told |= {"operator": "Equal", "value": one.value}
    return told | ({"effect": one.effect} if one.effect is not None else {})


def _storage(plan: Plan, site: KubeSite) -> dict[str, Any]:
    volumes, mounts = storage(plan, site)
    return {
        "volumes": literal(volumes),
        "volume_mounts": literal(mounts),
        "storage_pvc_ensure": False,
    }


def storage(plan: Plan, site: KubeSite) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The volumes of a plan and their mounts, as a pod has them. Raises :class:`Refused`."""
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    if plan.shm is not None:
        volumes.append(
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(plan.shm)}}
        )
        mounts.append({"name": "shm", "mountPath": SHM})
    for at, mount in enumerate(plan.mounts):
        if mount.kind == "bucket":
            continue  # reached by its address, not mounted
        source, further = _volume(plan, mount, site)
        volumes.append({"name": f"area-{at}", **source})
        about = {"mountPath": mount.target, "readOnly": mount.read_only, **further}
        mounts.append({"name": f"area-{at}", **about})
    return volumes, mounts


def _volume(plan: Plan, mount: Mount, site: KubeSite) -> tuple[dict[str, Any], dict[str, Any]]:
    """A volume's source, and what its mount needs beside the place."""
    field = f"profile.{plan.profile}.volumes"
    match mount.kind:
        case "nfs":
            server, path = sources.server_and_path(mount.source, field)
            return {"nfs": {"server": server, "path": path, "readOnly": mount.read_only}}, {}
        case "pvc":
            claim, _, below = mount.source.partition("/")
            sub = {"subPath": below} if below else {}
            return _claim(claim, mount.read_only), sub
        case "cvmfs":
            return _cvmfs(mount, site, field)
        case "tmpfs":
            size = str(mount.size or site.tmpfs)
            return {"emptyDir": {"medium": "Memory", "sizeLimit": size}}, {}
        case _:
            path = sources.allowed(mount.source, site.roots, field)
            return {"hostPath": {"path": path, "type": "Directory"}}, {}


def _cvmfs(mount: Mount, site: KubeSite, field: str) -> tuple[dict[str, Any], dict[str, Any]]:
    path = sources.repository(mount.source, field)
    # repositories that are mounted on the node later are seen, nothing goes back
    later = {"mountPropagation": "HostToContainer"}
    if site.cvmfs_claim is None:
        return {"hostPath": {"path": path, "type": "Directory"}}, later
    return _claim(site.cvmfs_claim, True), {"subPath": mount.source, **later}


def _claim(name: str, read_only: bool) -> dict[str, Any]:
    return {"persistentVolumeClaim": {"claimName": name, "readOnly": read_only}}
