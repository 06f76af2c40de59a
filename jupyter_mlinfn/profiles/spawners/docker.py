"""A plan as the traits of DockerSpawner 14: every one owned, each time.

A spawner object lives on after a failed start, so whatever an earlier plan set must be set again,
also to nothing. Facts from the source of dockerspawner 14.0.0 and docker-py:

- ``start`` looks at ``user_options["image"]`` by itself and asks ``check_allowed``; with
  ``allowed_images`` empty any such option ends the spawn with 400 *Specifying image to launch is
  not allowed*. Our own option of that name is one of the offer's; the hub's mixin answers with the
  plan's image.
- ``remove`` false would start the old container again, with the old device and the old mounts.
- ``volumes`` is a dict by source: one source at two places would lose one. ``mounts`` is a list,
  and a source that is not there is an error instead of an empty folder of root's.
- ``Count`` in a device request means "the first ones", for everybody; ``DeviceIDs`` are ours alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.plans import Mount, Plan
from jupyter_mlinfn.profiles.spawners import seccomp, session, sources
from jupyter_mlinfn.profiles.spawners.literal import literal
from jupyter_mlinfn.profiles.spawners.sites import DockerSite

LEASE = "mlinfn.lease"
USER = "mlinfn.user"
SERVER = "mlinfn.server"
DEVICES = "mlinfn.devices"
"""Labels of a container; the leases are reconciled from them when the hub starts."""

FUSE = "/dev/fuse"


def traits(
    plan: Plan,
    site: DockerSite,
    devices: Sequence[str] = (),
    lease: str | None = None,
    *,
    server: str = "",
    until: datetime | None = None,
) -> dict[str, Any]:
    """Every trait of DockerSpawner that decides image, rights, devices, limits, mounts.

    ``devices`` are the UUIDs of the lease ``lease``; ``server`` is the name of the named server;
    ``until`` the planned end.

    Raises:
        Refused: no image, a device without a lease or the other way round, a forbidden source,
            something that Docker has none of (claims, countable resources).
    """
    if plan.image is None:
        raise Refused(f"Profile '{plan.profile}' names no image.", code="no-image")
    if bool(devices) != (lease is not None):
        raise Refused("A device is given with its lease alone.", code="no-lease")
    session.refuse_counted(plan)
    return {
        **session.server(plan, site),
        "image": plan.image,
        "allowed_images": {},
        "pull_policy": site.pull,
        "remove": True,
        "post_start_cmd": False,
        "network_name": site.network,
        "use_internal_ip": site.internal_address,
        "links": {},
        "volumes": {},
        "read_only_volumes": {},
        "mounts": literal(_mounts(plan, site)),
        "env_keep": [],
        "environment": session.environment(plan, site, devices, until),
        "cpu_limit": plan.cpu,
        "cpu_guarantee": None,
        "mem_limit": plan.memory,
        "mem_guarantee": None,
        "extra_create_kwargs": literal(_created(plan, site, devices, lease, server)),
        "extra_host_config": literal(_host(plan, site, devices)),
    }


def _created(
    plan: Plan, site: DockerSite, devices: Sequence[str], lease: str | None, server: str
) -> dict[str, Any]:
    labels = {USER: plan.identity.name, SERVER: server, DEVICES: ",".join(devices)}
    if lease is not None:
        labels[LEASE] = lease
    return {"user": f"{site.uid}:{site.gid}", "labels": labels}


def _host(plan: Plan, site: DockerSite, devices: Sequence[str]) -> dict[str, Any]:
    """What the engine gives the container, spelt out: nothing is left to an earlier plan."""
    nests = bool(plan.privileges)
    requests = [{"device_ids": list(devices), "capabilities": [["gpu"]]}]
    return {
        "privileged": False,
        "cap_add": [],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true", *(_nesting(site) if nests else ())],
        "devices": [f"{FUSE}:{FUSE}:rw"] if "fuse" in plan.privileges else [],
        "device_requests": requests if devices and site.devices_by == "request" else [],
        "runtime": site.runtime if devices else None,
        "group_add": session.group_ids(plan, site),
        "ipc_mode": "private",
        "memswap_limit": plan.memory,  # memory and swap together: no swap beside it
        "pids_limit": site.processes,
        "shm_size": plan.shm or site.shm,
        "tmpfs": _tmpfs(plan, site),
    }


def _nesting(site: DockerSite) -> tuple[str, str]:
    return f"seccomp={seccomp.text()}", f"apparmor={site.nesting_apparmor}"


def _tmpfs(plan: Plan, site: DockerSite) -> dict[str, str]:
    options = "rw,nosuid,nodev,mode=1777,size={}"
    return {
        mount.target: options.format(mount.size or site.tmpfs)
        for mount in plan.mounts
        if mount.kind == "tmpfs"
    }


def _mounts(plan: Plan, site: DockerSite) -> list[dict[str, Any]]:
    made = [_mount(plan, mount, site) for mount in plan.mounts]
    return [one for one in made if one is not None]


def _mount(plan: Plan, mount: Mount, site: DockerSite) -> dict[str, Any] | None:
    field = f"profile.{plan.profile}.volumes"
    about = {"target": mount.target, "read_only": mount.read_only}
    match mount.kind:
        case "bind":
            source = sources.allowed(mount.source, site.roots, field)
            return {"type": "bind", "source": source, **about}
        case "cvmfs":
            # slave: repositories that the host mounts later are seen, nothing comes back
            source = sources.repository(mount.source, field)
            return {"type": "bind", "source": source, "propagation": "rslave", **about}
        case "nfs":
            return {"type": "volume", **_nfs(mount.source, site, field), **about}
        case "pvc":
            raise Refused(f"Docker has no claims: '{mount.source}' is one of Kubernetes'.")
        case "tmpfs" | "bucket":
            return None  # a tmpfs is the engine's own; a bucket is reached, not mounted


def _nfs(source: str, site: DockerSite, field: str) -> dict[str, Any]:
    server, path = sources.server_and_path(source, field)
    options = {"type": "nfs", "device": f":{path}", "o": f"addr={server},{site.nfs_options}"}
    # an engine keeps the options of a volume it knows: other options are another volume
    name = hashlib.sha256("\n".join(options.values()).encode()).hexdigest()[:24]
    driver = {"Name": "local", "Options": options}
    return {"source": f"mlinfn-nfs-{name}", "no_copy": True, "driver_config": driver}
