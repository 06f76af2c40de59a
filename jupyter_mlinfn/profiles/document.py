"""``profiles.toml`` as one frozen document, schema 1; docs/profiles.md is its reference.

Each class is a table of the file, each field a key. What cannot be written here cannot be offered:
there is no key for a privileged container, a capability, a host's network or a second registry.
Memory in bytes, times in seconds, CPUs as a number that may be a half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from jupyter_mlinfn.model.areas import AreaKind, BucketStore
from jupyter_mlinfn.model.plans import MountKind, OnFull, Pool, Privilege, SpawnerKind
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.profiles.nearness import show_size
from jupyter_mlinfn.profiles.values import (
    EVERYONE,
    Address,
    Count,
    Cpu,
    Duration,
    Flag,
    Folder,
    Group,
    LabelKey,
    LabelValue,
    ListOf,
    Memory,
    Name,
    Port,
    Queue,
    Region,
    Role,
    Sevenths,
    Text,
    Variable,
    wrong,
)

NONE = "none"
"""The name, in a profile's ``accelerators``, of a session without one."""


def _once(values: tuple[object, ...], shown: Callable[[Any], str] = repr) -> tuple[object, ...]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise wrong(f"{shown(value)} is in the list twice.")
    return values


def _counts_once(values: tuple[object, ...]) -> tuple[object, ...]:
    return _once(values, "{:g}".format)


def _sizes_once(values: tuple[object, ...]) -> tuple[object, ...]:
    return _once(values, show_size)


Names = Annotated[tuple[Name, ...], ListOf, AfterValidator(_once)]
Groups = Annotated[tuple[Group, ...], ListOf, AfterValidator(_once)]
Texts = Annotated[tuple[Text, ...], ListOf, AfterValidator(_once)]
Mig = Annotated[str, StringConstraints(pattern=r"^[1-7]g\.[0-9]{1,3}gb(\+me)?$")]


Keep = Annotated[
    str,
    StringConstraints(
        pattern=r"^(all=[0-9]{1,4}[hd]|(daily|weekly|monthly)=[0-9]{1,3})"
        r"(,(all=[0-9]{1,4}[hd]|(daily|weekly|monthly)=[0-9]{1,3})){0,3}$"
    ),
]


class Ceiling(Frozen):
    """What no profile exceeds. ``slices`` is the largest share of a GPU, in sevenths.

    ``registries`` are beginnings of image names that end with ``/``, or whole names of images;
    ``roots`` are the folders of the host below which every ``bind`` source lies.
    """

    cpu: Cpu
    memory: Memory
    shm: Memory | None = None
    time: Duration | None = None
    slices: Sevenths = 7
    registries: Texts = ()
    roots: Texts = ()


class Image(Frozen):
    """``[image.NAME]``: ``reference`` with a tag, or with the digest that pins it.

    ``groups`` narrows who is offered it; without, everybody who is offered the profile.
    """

    title: Text
    reference: Text
    description: Text | None = None
    groups: Groups | None = None


class Accelerator(Frozen):
    """``[accelerator.NAME]``: whole GPUs of one model, or MIG slices of one shape.

    ``model`` is NVML's name of the GPU. ``slices`` is the share of a GPU in sevenths; for a MIG
    shape it is the shape's own. ``resource`` and ``node`` are read on Kubernetes alone.
    """

    title: Text
    model: Text
    mig: Mig | None = None
    memory: Memory | None = None
    slices: Sevenths | None = None
    resource: LabelKey | None = None
    node: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    groups: Groups | None = None

    def share(self) -> int:
        """Its share of a GPU, in sevenths."""
        return self.slices or (int(self.mig[0]) if self.mig else 7)

    def pool(self, name: str) -> Pool:
        """The noun that the rest of the hub knows it by."""
        return Pool(
            name=name,
            title=self.title,
            model=self.model,
            mig=self.mig,
            memory=self.memory,
            slices=self.share(),
            resource=self.resource,
            node=tuple(sorted(self.node.items())),
        )


class CountableResource(Frozen):
    """``[resource.NAME]``: things that are counted, such as FPGAs; ``site_name`` is their name
    in the system that hands them out (Kubernetes: ``xilinx.com/fpga-u55c``)."""

    title: Text
    site_name: LabelKey
    groups: Groups | None = None


class Backup(Frozen):
    """``[volume.NAME.backup]``: dated read-only copies, one ``every`` so many seconds.

    ``source`` is where they lie on the host, ``target`` where sessions see them. ``keep`` is the
    storage room's rule: all of so young an age, then the newest of so many days, weeks, months.
    """

    source: Text
    target: Text
    every: Duration = 86400
    keep: Keep = "all=2d,daily=14,weekly=8"


class Store(Frozen):
    """``[volume.NAME.store]``: where a bucket is, and how sessions get short-lived keys to it.

    There is no key for an access key: a session asks S3 for one with its token of the login
    service. ``audience`` is who that token is for; ``role`` what it takes there (an ARN);
    ``sts`` the address of the key service where it is not the store's own.
    """

    endpoint: Address
    region: Region = "us-east-1"
    keys: Literal["web-identity"] = "web-identity"
    sts: Address | None = None
    audience: Text | None = None
    role: Role | None = None

    def told(self) -> BucketStore:
        """What a session is told of it."""
        return BucketStore(**self.model_dump())


class Volume(Frozen):
    """``[volume.NAME]``: a mount, and the storage area that a session is told of.

    ``source``: a folder of the host (bind), ``server:/path`` (nfs), a claim (pvc), a repository
    (cvmfs), ``s3://bucket`` (bucket); none for tmpfs. ``{user}`` and ``{group}`` stand for safe
    forms of the names. ``each = "group"`` makes one of it for each group in ``groups`` that the
    person is in. ``quota`` is what is declared; for tmpfs it is the size.
    """

    title: Text
    kind: MountKind
    source: Text | None = None
    target: Text | None = None
    mode: Literal["ro", "rw"] = "ro"
    area: AreaKind | None = None
    each: Literal["group"] | None = None
    groups: Groups | None = None
    create: Flag = False
    quota: Memory | None = None
    batch: Names | None = None
    backup: Backup | None = None
    store: Store | None = None

    def owner(self) -> str | None:
        """The one group whose it is, as the file says it; ``None`` where it says no such group,
        or makes one for each."""
        groups = self.groups or ()
        one = len(groups) == 1 and groups[0] != EVERYONE and self.each is None
        return groups[0] if one and "{user}" not in (self.source or "") else None

    def is_everybodys(self) -> bool:
        """Whether all who have it have the same one, and belong to no one group."""
        alike = "{user}" not in (self.source or "") and self.each is None
        return alike and self.owner() is None

    def told_as(self) -> AreaKind:
        """The kind of area it is: ``area``, else what its kind of mount and its names say."""
        if self.area is not None:
            return self.area
        named: dict[str, AreaKind] = {"tmpfs": "scratch", "cvmfs": "cvmfs", "bucket": "bucket"}
        if self.kind in named:
            return named[self.kind]
        if self.each is not None or (self.mode == "rw" and self.owner() is not None):
            return "collabspace"
        return "private" if "{user}" in (self.source or "") else "shared"


class Times(Frozen):
    """``time = {…}`` of a profile: longest session, idle, idle GPU, and how long before its end
    a session is warned."""

    max: Duration | None = None
    idle: Duration | None = None
    gpu_idle: Duration | None = None
    warn: Duration | None = None


class Profile(Frozen):
    """``[[profile]]``: one entry of the offer. The first value of a list is the default.

    ``groups`` are full paths, exact and case-sensitive; without the key, nobody is offered the
    profile; ``"*"`` is everybody who can log in. ``volumes`` are always there,
    ``optional_volumes`` on request. ``charge`` is ``choose`` (one of the person's groups that the
    profile is for) or one group. ``advisory``: what the spawner cannot honour is said on the
    spawn page instead of being an error of the file.
    """

    name: Name
    title: Text
    description: Text | None = None
    groups: Groups = ()
    images: Names = ()
    cpu: Annotated[tuple[Cpu, ...], ListOf, AfterValidator(_counts_once), Field(min_length=1)]
    memory: Annotated[tuple[Memory, ...], ListOf, AfterValidator(_sizes_once), Field(min_length=1)]
    shm: Memory | None = None
    accelerators: Names = ()
    resources: dict[Name, Count] = Field(default_factory=dict)
    volumes: Names = ()
    optional_volumes: Names = ()
    collaborative: Flag = False
    environments: Annotated[tuple[Folder, ...], ListOf, AfterValidator(_once)] = ()
    time: Times = Times()
    on_full: OnFull = "refuse"
    charge: Group | None = None
    backends: Names = ()
    queues: Annotated[tuple[Queue, ...], ListOf, AfterValidator(_once)] = ()
    ports: Annotated[tuple[Port, ...], ListOf, AfterValidator(_once)] = ()
    privileges: Annotated[tuple[Privilege, ...], ListOf, AfterValidator(_once)] = ()
    variables: dict[Variable, Text] = Field(default_factory=dict)
    advisory: Flag = False


class Document(Frozen):
    """The whole file. ``spawner`` is what it is checked for; the hub can be told otherwise."""

    schema_: Literal[1] = Field(alias="schema")
    title: Text = "JupyterHub"
    spawner: SpawnerKind | None = None
    ceiling: Ceiling
    image: dict[Name, Image] = Field(default_factory=dict)
    accelerator: dict[Name, Accelerator] = Field(default_factory=dict)
    resource: dict[Name, CountableResource] = Field(default_factory=dict)
    volume: dict[Name, Volume] = Field(default_factory=dict)
    profile: Annotated[tuple[Profile, ...], ListOf, Field(min_length=1)]

    @field_validator("schema_", mode="before")
    @classmethod
    def _whole_number(cls, value: object) -> object:
        if isinstance(value, bool) or value != 1 or not isinstance(value, int):
            raise wrong("This program reads schema 1. Write: schema = 1")
        return value


class Book(Document):
    """A file that was read and found right. ``digest`` is the SHA-256 of its text."""

    digest: str

    @property
    def pools(self) -> tuple[Pool, ...]:
        """All accelerators of the file, in its order."""
        return tuple(entry.pool(name) for name, entry in self.accelerator.items())
