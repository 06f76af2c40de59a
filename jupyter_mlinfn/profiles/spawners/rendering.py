"""What ``mlinfn hub render`` prints: the exact traits of one person's session.

A device is known when one is leased, so an example stands in its place; everything else is what
the hub would set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_mlinfn.model.plans import Plan, SpawnerKind
from jupyter_mlinfn.profiles.spawners import docker, kube, local
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, KubeSite, LocalSite

EXAMPLE_DEVICE = "GPU-00000000-0000-0000-0000-000000000000"
EXAMPLE_LEASE = "example"


def render(plan: Plan, spawner: SpawnerKind, roots: Sequence[str] = ()) -> dict[str, Any]:
    """The traits of ``plan`` at a site with the usual settings and these ``roots``, as JSON can
    hold them. Raises :class:`Refused` where ``spawner`` cannot start this plan at all."""
    devices = (EXAMPLE_DEVICE,) if plan.pool is not None else ()
    if spawner == "docker":
        lease = EXAMPLE_LEASE if devices else None
        return docker.traits(plan, DockerSite(roots=tuple(roots)), devices, lease)
    if spawner == "kube":
        return kube.traits(plan, KubeSite(roots=tuple(roots)))
    return local.traits(plan, LocalSite(), devices)
