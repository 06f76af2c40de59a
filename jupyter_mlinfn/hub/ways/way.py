"""What the hub's desk must know of a way to run sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from jupyter_mlinfn.hub.spawning import PlannedSpawner
from jupyter_mlinfn.model.leases import Labelled, Lease
from jupyter_mlinfn.model.plans import Plan, SpawnerKind


class Way(Protocol):
    """``spawner`` is the class that JupyterHub is given; ``leases``: the hub hands out devices."""

    kind: SpawnerKind
    spawner: type[PlannedSpawner]
    leases: bool

    def traits(
        self,
        plan: Plan,
        server: str,
        lease: Lease | None,
        until: datetime | None,
        roots: Sequence[str],
    ) -> dict[str, Any]:
        """Every trait that the plan owns. ``roots`` are the folders of the host below which all
        lies that a session may be shown. Raises :class:`Refused` for what must not be."""
        ...

    def owner(self, plan: Plan) -> tuple[int, int] | None:
        """User and group id whom the folders of a session are made for; ``None``: none are."""
        ...

    def labelled(self) -> Sequence[Labelled]:
        """Everything that runs with the label of a lease. Raises when nobody can tell."""
        ...
