"""The nouns of the hub's way: who asks, what she may have, what she chose, what she gets.

``profiles.toml`` → offer(identity) → choice → **plan** → one pure adapter per spawner. Memory in
bytes, times in seconds, CPUs as a number that may be a half.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.states import Frozen

MountKind = Literal["bind", "nfs", "pvc", "cvmfs", "tmpfs", "bucket"]
Privilege = Literal["fuse", "userns"]
OnFull = Literal["refuse", "wait"]
SpawnerKind = Literal["docker", "kube", "local"]


class Identity(Frozen):
    """Who asks. ``groups`` are full paths, exact and case-sensitive, without a leading slash;
    ``slug`` is the safe form of the name (with a hash where characters had to be changed).
    ``group`` is the one group whose session it is; ``None``: a person's."""

    name: str
    slug: str
    groups: frozenset[str] = frozenset()
    admin: bool = False
    group: str | None = None


class Pool(Frozen):
    """One kind of accelerator that the site offers: whole GPUs or MIG slices of one shape.

    ``model`` and ``mig`` say which devices belong to it (NVML's name of the GPU; ``1g.10gb``);
    ``slices`` is its share of a GPU in sevenths (7 for a whole one). ``resource`` and ``node``
    are Kubernetes' names: resource name and the node labels it must have.
    """

    name: str
    title: str
    model: str
    mig: str | None = None
    memory: int | None = None
    slices: int = 7
    resource: str | None = None
    node: tuple[tuple[str, str], ...] = ()


class Mount(Frozen):
    """One mount of a session. ``source`` is on the hub's or the node's side (bind: folder; nfs:
    ``server:/path``; pvc: claim name; cvmfs: repository; bucket: address)."""

    kind: MountKind
    source: str
    target: str
    read_only: bool
    create: bool = False
    """Make the source with right owner and mode before the start (kind bind alone)."""
    shared_with: str | None = None
    """The slug of the group for which a made source is writable; ``None``: the person alone."""
    size: int | None = Field(default=None, gt=0)
    """At most so many bytes (kind tmpfs alone)."""


class Limits(Frozen):
    """Times of a session in seconds; ``None``: no such limit."""

    longest: int | None = None
    idle: int | None = None
    gpu_idle: int | None = None
    warn: int | None = None


class Resource(Frozen):
    """So many of a countable resource, such as an FPGA, by its name at the site."""

    name: str
    count: int = Field(ge=1)


class Choice(Frozen):
    """What a person chose, by names of the offer alone; what is not said is the default."""

    profile: str
    image: str | None = None
    cpu: float | None = None
    memory: int | None = None
    accelerator: str | None = None
    areas: tuple[str, ...] | None = None
    charge: str | None = None
    resources: tuple[Resource, ...] = ()


class Plan(Frozen):
    """Everything about one session, before a device is leased and a spawner is told.

    ``pool`` is the accelerator asked for (``None``: none). ``areas`` is what the session is told
    of its storage. ``environment`` holds no secret. ``until`` times are in ``limits``.
    """

    identity: Identity
    profile: str
    title: str
    image: str | None
    cpu: float
    memory: int
    shm: int | None = None
    pool: Pool | None = None
    on_full: OnFull = "refuse"
    resources: tuple[Resource, ...] = ()
    mounts: tuple[Mount, ...] = ()
    areas: tuple[Area, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    privileges: frozenset[Privilege] = frozenset()
    collaborative: bool = False
    limits: Limits = Limits()
    charge: str | None = None
    backends: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    """Folders of managed environments, as the session sees them."""
    ports: tuple[int, ...] = ()
    """Ports of the session that its own proxy may show, beside the server's."""
    advisory: bool = False
    """It is started although the spawner does not keep all of it."""
    unkept: tuple[str, ...] = ()
    """What that is, in words: the session is told, too."""
