"""Sessions as containers of a Docker engine, by DockerSpawner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import docker
from docker.errors import DockerException
from docker.utils import kwargs_from_env
from dockerspawner import DockerSpawner

from jupyter_mlinfn.hub.spawning import PlannedSpawner
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.leases import Labelled, Lease
from jupyter_mlinfn.model.plans import Plan, SpawnerKind
from jupyter_mlinfn.profiles.spawners.docker import DEVICES, LEASE, SERVER, USER, traits
from jupyter_mlinfn.profiles.spawners.sites import DockerSite

_RUNNING = frozenset({"running", "paused", "restarting"})


class PlannedDockerSpawner(PlannedSpawner, DockerSpawner):  # type: ignore[misc]
    """DockerSpawner that starts what was planned."""

    async def check_allowed(self, image: str) -> str:
        """The plan's image. DockerSpawner asks this for ``user_options["image"]``, which is a
        name of our offer and was judged already; never an image that somebody sent."""
        return str(self.image)


class DockerWay:
    """One engine: that of ``DOCKER_HOST``, as for DockerSpawner."""

    kind: SpawnerKind = "docker"
    spawner: type[PlannedSpawner] = PlannedDockerSpawner
    leases = True

    def __init__(self, site: DockerSite) -> None:
        self.site = site
        self._client: Any = None

    def traits(
        self,
        plan: Plan,
        server: str,
        lease: Lease | None,
        until: datetime | None,
        roots: Sequence[str],
    ) -> dict[str, Any]:
        """As :func:`jupyter_mlinfn.profiles.spawners.docker.traits`."""
        devices = () if lease is None else (lease.device.uuid,)
        name = None if lease is None else lease.id
        site = self.site.model_copy(update={"roots": (*self.site.roots, *roots)})
        return traits(plan, site, devices, name, server=server, until=until)

    def owner(self, plan: Plan) -> tuple[int, int]:
        """Whom all containers run as."""
        return self.site.uid, self.site.gid

    def labelled(self) -> Sequence[Labelled]:
        """All containers of the engine with our label, also those that have ended. Raises
        :class:`Unavailable` while the engine does not answer."""
        try:
            if self._client is None:
                self._client = docker.APIClient(version="auto", **kwargs_from_env())
            found = self._client.containers(all=True, filters={"label": LEASE})
        except (DockerException, OSError) as error:
            raise Unavailable(f"The container engine does not answer: {error}") from error
        return tuple(map(read_container, found))


def read_container(told: Mapping[str, Any]) -> Labelled:
    """One entry of the engine's list of containers."""
    labels = told["Labels"]
    return Labelled(
        container=told["Id"],
        lease=labels[LEASE],
        user=labels.get(USER, ""),
        server=labels.get(SERVER, ""),
        devices=tuple(filter(None, labels.get(DEVICES, "").split(","))),
        running=told["State"] in _RUNNING,
    )
