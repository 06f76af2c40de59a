"""Sessions as pods of a Kubernetes cluster, by KubeSpawner. Its scheduler owns the devices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kubespawner import KubeSpawner

from jupyter_mlinfn.hub.spawning import PlannedSpawner
from jupyter_mlinfn.model.leases import Labelled, Lease
from jupyter_mlinfn.model.plans import Plan, SpawnerKind
from jupyter_mlinfn.profiles.spawners.kube import traits
from jupyter_mlinfn.profiles.spawners.sites import KubeSite


class PlannedKubeSpawner(PlannedSpawner, KubeSpawner):  # type: ignore[misc]
    """KubeSpawner that starts what was planned."""

    async def load_user_options(self) -> None:
        """Nothing: the options were judged against our offer, and KubeSpawner's own profiles,
        which it would look for here, are not used."""


class KubeWay:
    """One cluster; nothing is leased here."""

    kind: SpawnerKind = "kube"
    spawner: type[PlannedSpawner] = PlannedKubeSpawner
    leases = False

    def __init__(self, site: KubeSite) -> None:
        self.site = site

    def traits(
        self,
        plan: Plan,
        server: str,
        lease: Lease | None,
        until: datetime | None,
        roots: Sequence[str],
    ) -> dict[str, Any]:
        """As :func:`jupyter_mlinfn.profiles.spawners.kube.traits`."""
        site = self.site.model_copy(update={"roots": (*self.site.roots, *roots)})
        return traits(plan, site, until=until)

    def owner(self, plan: Plan) -> None:
        """The hub makes no folders: they are on the nodes' side."""

    def labelled(self) -> Sequence[Labelled]:
        """Nothing carries a lease."""
        return ()
