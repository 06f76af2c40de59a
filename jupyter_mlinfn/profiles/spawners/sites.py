"""What a site is like, as far as its spawner must be told: network, ids, roots, commands.

A plan says what a person gets; a site says how this hub's containers, pods or processes are made.
Nothing here can be chosen by a person. Sizes in bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from jupyter_mlinfn.model.states import Frozen

GIB = 2**30
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A user or group id of a session. Zero is root, and no session is root."""

Folder = Annotated[str, StringConstraints(pattern=r"^/[^\x00]*$")]


class Site(Frozen):
    """What all spawners need. ``service`` is the address of the hub's service as a session
    reaches it, ``folder`` the root of the file browser (empty: the image's working folder).
    ``environment`` is the site's own; a plan's comes over it, and ours over both."""

    command: tuple[str, ...] = ("jupyterhub-singleuser",)
    arguments: tuple[str, ...] = ()
    folder: str = ""
    start_page: str = "/lab"
    service: str | None = None
    environment: tuple[tuple[str, str], ...] = ()


class DockerSite(Site):
    """A Docker engine. ``uid`` and ``gid`` are whom every container runs as, ``groups`` further
    groups of all of them, ``group_ids`` (slug of a group, id) of those who are shown that group's
    folder. ``roots`` are the folders of the host below which sources of mounts
    must lie; without one there are no bind mounts."""

    network: str = "bridge"
    internal_address: bool = True
    """The hub reaches containers by their address in ``network``, not by a port of the host."""
    pull: Literal["always", "ifnotpresent", "never", "skip"] = "ifnotpresent"
    uid: Id = 1000
    gid: Id = 100
    groups: tuple[Id, ...] = ()
    group_ids: tuple[tuple[str, Id], ...] = ()
    roots: tuple[Folder, ...] = ()
    processes: int = Field(default=4096, ge=64)
    """Processes and threads of one container at most."""
    shm: int = Field(default=64 * 2**20, gt=0)
    """Size of /dev/shm where the plan says nothing; the engine's own default."""
    tmpfs: int = Field(default=GIB, gt=0)
    """Size of a tmpfs where the volume has no quota."""
    nfs_options: str = Field(default="nfsvers=4,nosuid,nodev", pattern=r"^[a-z0-9_=.,:-]+$")
    runtime: str | None = None
    """Name of the engine's runtime, where accelerators need one that is not the default."""
    devices_by: Literal["request", "environment"] = "request"
    """How a container gets its accelerator: a device request of the engine, or (older nvidia
    runtimes, simulated devices) ``NVIDIA_VISIBLE_DEVICES`` alone."""
    nesting_apparmor: str = "unconfined"
    """AppArmor profile of sessions with ``fuse`` or ``userns``: the engine's own forbids mounts."""


class Toleration(Frozen):
    """One toleration of a pod; for pods of these pools and people of these groups alone, where
    any are named. ``value`` ``None`` tolerates every value of ``key``."""

    key: str
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    pools: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


class KubeSite(Site):
    """A Kubernetes cluster. ``strategy`` is the GPU operator's ``mig.strategy``. Ids are as for
    :class:`DockerSite`. ``roots`` are the folders of nodes below which host paths must lie; without
    one there are none."""

    command: tuple[str, ...] = Field(default=("jupyterhub-singleuser",), min_length=1)
    strategy: Literal["single", "mixed"] = "mixed"
    uid: Id = 1000
    gid: Id = 100
    fs_gid: Id | None = None
    groups: tuple[Id, ...] = ()
    group_ids: tuple[tuple[str, Id], ...] = ()
    roots: tuple[Folder, ...] = ()
    tmpfs: int = Field(default=GIB, gt=0)
    pull: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    """Names of secrets of the namespace, never their content."""
    labels: tuple[tuple[str, str], ...] = ()
    """Labels of every pod, such as those that the cluster's network policies look at."""
    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    priority_class: str = ""
    scheduler: str | None = None
    cvmfs_claim: str | None = None
    """Claim of the CVMFS driver; without one /cvmfs of the node is shown."""
    fuse_resource: str | None = None
    """Resource name under which a device plugin gives out /dev/fuse."""
    nesting_profile: str = "mlinfn/nesting.json"
    """Seccomp profile of sessions with ``fuse`` or ``userns``, below the kubelets' folder of
    profiles; ``python -m jupyter_mlinfn.profiles.spawners.seccomp`` prints it."""


class LocalSite(Site):
    """Processes of this machine. ``keep`` are the variables of the hub that they inherit."""

    keep: tuple[str, ...] = ("LANG", "LC_ALL", "PATH", "VIRTUAL_ENV")
