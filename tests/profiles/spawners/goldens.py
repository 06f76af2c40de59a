"""Golden files: what each spawner is told, and what it makes of it, as read by a person once.

``python -m tests.profiles.spawners.goldens`` renews them; read the difference before you commit it.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from jupyter_mlinfn.profiles.spawners import docker, kube, local
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, KubeSite
from tests.profiles.spawners import offers, plans, real

FOLDER = Path(__file__).parent / "golden"
_CHANGES_BY_ITSELF = "hub.jupyter.org/"
"""Annotations with the versions of JupyterHub and KubeSpawner."""


def traits() -> dict[str, dict[str, Any]]:
    """The traits of both plans for each spawner, by the name of their file."""
    given = {"until": plans.UNTIL}
    devices = (plans.DEVICE,)
    return {
        "docker-everything": docker.traits(
            plans.EVERYTHING, plans.DOCKER, devices, plans.LEASE, server="second", **given
        ),
        "docker-nothing": docker.traits(plans.NOTHING, plans.DOCKER),
        "kube-everything": kube.traits(plans.EVERYTHING_OF_A_CLUSTER, plans.KUBE, **given),
        "kube-nothing": kube.traits(plans.NOTHING, plans.KUBE),
        "local-everything": local.traits(
            plans.EVERYTHING_OF_A_MACHINE, plans.LOCAL, devices, **given
        ),
        "local-nothing": local.traits(plans.NOTHING, plans.LOCAL),
    }


async def made() -> dict[str, dict[str, Any]]:
    """What the real spawners make of them: create requests of the engine, and pods."""
    things = {}
    for name, told in traits().items():
        if name.startswith("docker"):
            engine = real.of_docker()
            real.apply(engine, told)
            things[f"{name}-container"] = _of_ours(await real.container(engine))
        elif name.startswith("kube"):
            spawner = real.of_kube()
            real.apply(spawner, told)
            things[f"{name}-pod"] = without_versions(await real.pod(spawner))
    return things


async def shipped() -> dict[str, dict[str, Any]]:
    """What becomes of each profile of the shipped offers, with nothing chosen."""
    things = {}
    site = DockerSite(roots=offers.ML.ceiling.roots)
    for profile in offers.ML.profile:
        plan = offers.plan(offers.ML, profile=profile.name)
        engine = real.of_docker()
        devices, lease = ((plans.DEVICE,), plans.LEASE) if plan.pool else ((), None)
        real.apply(engine, docker.traits(plan, site, devices, lease))
        things[f"ml-infn-{profile.name}"] = _of_ours(await real.container(engine))
    for profile in offers.AI.profile:
        spawner = real.of_kube()
        plan = offers.plan(offers.AI, profile=profile.name)
        real.apply(spawner, kube.traits(plan, KubeSite()))
        things[f"ai-infn-{profile.name}"] = without_versions(await real.pod(spawner))
    return things


def _of_ours(container: dict[str, Any]) -> dict[str, Any]:
    told = container["environment"]
    ours = {name: told[name] for name in told if not name.startswith(("JUPYTER", "JPY_"))}
    return {**container, "environment": ours}


def without_versions(pod: dict[str, Any]) -> dict[str, Any]:
    """A pod without what the next release of a library would change, and without the hub's own."""
    about = pod["metadata"]
    notes = about["annotations"]
    about["annotations"] = {k: v for k, v in notes.items() if not k.startswith(_CHANGES_BY_ITSELF)}
    (container,) = pod["spec"]["containers"]
    container["env"] = [
        one for one in container["env"] if not one["name"].startswith(("JUPYTER", "JPY_"))
    ]
    return pod


def text(thing: dict[str, Any]) -> str:
    """As it lies in its file."""
    return json.dumps(thing, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def read(name: str) -> Any:
    """What lies in a file."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def renew() -> None:
    """Write all of them."""
    for name, thing in (traits() | asyncio.run(made()) | asyncio.run(shipped())).items():
        (FOLDER / f"{name}.json").write_text(text(thing), encoding="utf-8")


if __name__ == "__main__":
    renew()
