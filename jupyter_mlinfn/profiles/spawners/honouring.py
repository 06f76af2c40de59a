"""What a spawner cannot do of what a profile promises: said when the file is checked.

A promise that is dropped in silence is the worst kind of it: somebody asked for an FPGA, got none
and was not told. Each problem here is an error of the file, or, with ``advisory = true`` in the
profile, a sentence on the spawn page and in the session, which is started without it. What no
session can be started without (:data:`NEEDED`) is an error in any case.
"""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.plans import Mount, MountKind, Plan, Privilege, SpawnerKind
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.profiles.document import NONE, Document, Profile, Volume
from jupyter_mlinfn.profiles.sources import below_a_root
from jupyter_mlinfn.profiles.spawners.sites import KubeSite, Site

CODE = "not-honoured"
NEEDED = "cannot-start"
_NAMES: dict[SpawnerKind, str] = {
    "docker": "Docker",
    "kube": "Kubernetes",
    "local": "The local spawner",
}


class Shown(Frozen):
    """A folder that a session is to see."""

    kind: MountKind
    source: str
    target: str
    create: bool = False


class Asked(Frozen):
    """What one profile asks of a spawner, in a plan of it or in the file."""

    profile: str
    image: bool
    accelerators: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    folders: tuple[Shown, ...] = ()
    privileges: frozenset[Privilege] = frozenset()


def unhonoured(
    asked: Plan | Document, spawner: SpawnerKind, site: Site | None = None
) -> tuple[Problem, ...]:
    """What ``spawner`` cannot do of a plan, or of all profiles of a file, advisory ones too.

    With ``site``, what the site has names and folders for is taken into account; without, what
    every site of this kind can do. ``Problem.field`` is ``profile.NAME.KEY``.
    """
    if isinstance(asked, Plan):
        return tuple(_problems(of_plan(asked), spawner, site))
    made = (of_profile(asked, profile) for profile in asked.profile)
    return tuple(problem for one in made for problem in _problems(one, spawner, site))


def sentences(asked: Plan | Document, spawner: SpawnerKind, profile: str) -> tuple[str, ...]:
    """What ``spawner`` does not keep of one profile that may be started all the same, in words
    for whoever starts it."""
    found = (one for one in unhonoured(asked, spawner) if one.code == CODE)
    return tuple(one.text for one in found if (one.field or "").split(".")[1:2] == [profile])


def of_plan(plan: Plan) -> Asked:
    """What a plan asks."""
    return Asked(
        profile=plan.profile,
        image=plan.image is not None,
        accelerators=() if plan.pool is None else (plan.pool.name,),
        resources=tuple(resource.name for resource in plan.resources),
        folders=tuple(_of_mount(mount) for mount in plan.mounts),
        privileges=plan.privileges,
    )


def of_profile(document: Document, profile: Profile) -> Asked:
    """What a profile asks with everything that can be chosen in it."""
    volumes = [document.volume[name] for name in (*profile.volumes, *profile.optional_volumes)]
    return Asked(
        profile=profile.name,
        image=bool(profile.images),
        accelerators=tuple(name for name in profile.accelerators if name != NONE),
        resources=tuple(document.resource[name].site_name for name in profile.resources),
        folders=tuple(shown for volume in volumes for shown in _of_volume(volume)),
        privileges=frozenset(profile.privileges),
    )


def _of_mount(mount: Mount) -> Shown:
    return Shown(kind=mount.kind, source=mount.source, target=mount.target, create=mount.create)


def _of_volume(volume: Volume) -> Iterator[Shown]:
    if volume.target is not None:
        source = volume.source or ""
        yield Shown(kind=volume.kind, source=source, target=volume.target, create=volume.create)
    if volume.backup is not None:
        yield Shown(kind="bind", source=volume.backup.source, target=volume.backup.target)


def _problems(asked: Asked, spawner: SpawnerKind, site: Site | None) -> Iterator[Problem]:
    for key, text, hint in _TOLD[spawner](asked, site):
        field = f"profile.{asked.profile}.{key}"
        code = NEEDED if hint in _STARTS_NOTHING else CODE
        yield Problem(code=code, text=f"{_NAMES[spawner]} {text}", field=field, hint=hint)


_Told = Iterator[tuple[str, str, str]]
"""Key of the profile, end of the sentence, what to do."""

_NAME_AN_IMAGE = "Name an image."
_NO_CLAIM = "Use a volume of kind bind or nfs."
_NAME_FUSE = "Set fuse_resource of the site to its resource name."
_FULL_NAME = "site_name is the resource's full name, such as xilinx.com/fpga-u55c."
_ON_ALL_NODES = "Use a volume of kind nfs or pvc, or name it in the site's roots."
_STARTS_NOTHING = frozenset({_NAME_AN_IMAGE, _NO_CLAIM, _NAME_FUSE, _FULL_NAME, _ON_ALL_NODES})
"""What is to be done where the spawner refuses to start a session at all."""


def _docker(asked: Asked, _site: Site | None) -> _Told:
    if not asked.image:
        yield "images", "starts nothing without an image.", _NAME_AN_IMAGE
    for name in asked.resources:
        yield (
            "resources",
            f"does not count '{name}': two sessions would get the same one.",
            "Offer it on Kubernetes, or as an accelerator.",
        )
    for shown in asked.folders:
        if shown.kind == "pvc":
            yield (
                "volumes",
                f"has no claims: '{shown.source}' is one of Kubernetes'.",
                _NO_CLAIM,
            )


def _kube(asked: Asked, site: Site | None) -> _Told:
    cluster = site if isinstance(site, KubeSite) else None
    if not asked.image:
        yield "images", "starts nothing without an image.", _NAME_AN_IMAGE
    if "fuse" in asked.privileges and cluster is not None and cluster.fuse_resource is None:
        yield (
            "privileges",
            "gives out /dev/fuse by a device plugin alone, and none is named.",
            _NAME_FUSE,
        )
    for name in asked.resources:
        if "/" not in name:
            yield (
                "resources",
                f"has no resource '{name}'.",
                _FULL_NAME,
            )
    for shown in asked.folders:
        if shown.kind == "bind":
            yield from _on_nodes(shown, cluster)


def _on_nodes(shown: Shown, cluster: KubeSite | None) -> _Told:
    if cluster is None or not below_a_root(shown.source, cluster.roots):
        yield (
            "volumes",
            f"shows a folder such as '{shown.source}' only on the node that has it.",
            _ON_ALL_NODES,
        )
    elif shown.create:
        yield (
            "volumes",
            f"has '{shown.source}' on its nodes, where the hub makes no folders.",
            "Make it on the storage and leave create away, or use nfs or pvc.",
        )


def _local(asked: Asked, _site: Site | None) -> _Told:
    if asked.image:
        yield (
            "images",
            "starts programs of this machine: no image is used.",
            "Leave images away.",
        )
    if asked.accelerators:
        yield (
            "accelerators",
            "tells a session which device is its own, and walls no device off from anybody.",
            "Use it where people trust each other, with advisory = true.",
        )
    for name in asked.resources:
        yield "resources", f"does not count '{name}'.", "Leave the resource away."
    for shown in asked.folders:
        if not _is_there(shown):
            yield (
                "volumes",
                f"mounts nothing: '{shown.source}' is not shown at '{shown.target}'.",
                "Use kind bind with the same path as source and target.",
            )


def _is_there(shown: Shown) -> bool:
    """Whether a process of the host sees it without a mount."""
    if shown.kind == "bind":
        return shown.source == shown.target
    return shown.kind == "bucket" or (
        shown.kind == "cvmfs" and shown.target == f"/cvmfs/{shown.source}"
    )


_TOLD = {"docker": _docker, "kube": _kube, "local": _local}
