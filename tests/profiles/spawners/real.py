"""The real spawner classes, without a hub: their own code makes containers and pods of traits."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import docker
from dockerspawner import DockerSpawner
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner, Spawner
from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner

from tests.profiles.spawners.plans import ADA

USER = SimpleNamespace(name=ADA.name, id=7, url="/user/ada/", escaped_name="ada")
HUB = SimpleNamespace(
    public_host="", url="/hub/", base_url="/hub/", api_url="http://hub:8081/hub/api"
)


class Engine(DockerSpawner):
    """DockerSpawner that notes what it asks of the engine; only the socket is not there."""

    # the words of API 1.41 (Docker 20.10), without asking a server for its version
    _client = docker.APIClient(base_url="http://127.0.0.1:1", version="1.41")

    def docker(self, method: str, *args: Any, **kwargs: Any) -> Any:
        async def answer() -> Any:
            asked = kwargs if kwargs else {"args": args}
            self.__dict__.setdefault("asked", []).append((method, asked))
            return {"Id": "c0ffee", "Config": {"Cmd": ["start"]}}

        return answer()


def of_docker() -> Engine:
    """A new one, as it is before a first start."""
    return Engine(user=USER, hub=HUB)


def of_kube() -> KubeSpawner:
    """A new one; no cluster is asked, and none is looked for."""
    with patch("kubespawner.spawner.load_config"), patch("kubespawner.spawner.shared_client"):
        return KubeSpawner(_mock=True, user=USER, hub=HUB)


def of_process() -> tuple[LocalProcessSpawner, SimpleLocalProcessSpawner]:
    """One for people with an account, one for people without."""
    return LocalProcessSpawner(user=USER, hub=HUB), SimpleLocalProcessSpawner(user=USER, hub=HUB)


def apply(spawner: Spawner, traits: Mapping[str, Any]) -> None:
    """As the hub does it: each trait is set, none is changed in place."""
    for name, value in traits.items():
        setattr(spawner, name, value)


async def container(spawner: Engine) -> dict[str, Any]:
    """What the engine is asked to create for it."""
    spawner.__dict__.pop("asked", None)
    await spawner.create_object()
    asked: list[tuple[str, dict[str, Any]]] = spawner.__dict__["asked"]
    return next(kwargs for method, kwargs in asked if method == "create_container")


async def pod(spawner: KubeSpawner) -> dict[str, Any]:
    """The manifest that it would send."""
    async with ApiClient() as client:
        made: dict[str, Any] = client.sanitize_for_serialization(await spawner.get_pod_manifest())
    return made
