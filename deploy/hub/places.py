"""Where sessions of ``make hub`` run: in containers where that is possible, else as processes.

``MLINFN_HUB_SPAWNER`` (``docker`` or ``local``) decides it, or an engine that answers and has the
image of the sessions. Containers reach the hub by the address that this machine has in a network
of their own; an engine elsewhere, or a rootless one, has no such address here.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.utils import kwargs_from_env

IMAGE = "mlinfn/session:1"
NETWORK = "mlinfn-hub"
ALONE = {"com.docker.network.bridge.enable_icc": "false"}
"""Sessions do not reach each other."""
PATIENCE = 5.0


class NoContainers(Exception):
    """Why sessions cannot be containers: a clause without an end."""


@dataclass(frozen=True)
class Place:
    """``gateway``: the address of this machine that containers reach; empty for processes."""

    sentence: str
    gateway: str = ""


def choose(wanted: str, image: str) -> Place:
    """Where sessions run. Exits with a reason where ``wanted`` cannot be had."""
    if wanted not in ("", "docker", "local"):
        raise SystemExit(f"MLINFN_HUB_SPAWNER is '{wanted}'. Say docker or local, or nothing.")
    if wanted == "local":
        return Place("MLINFN_HUB_SPAWNER=local, so sessions are processes of this machine.")
    try:
        gateway = _look(image)
    except NoContainers as reason:
        if wanted:
            raise SystemExit(f"MLINFN_HUB_SPAWNER=docker, but {_uncapitalised(reason)}.") from None
        return Place(f"{reason}, so sessions are processes of this machine.")
    return Place(f"Sessions are containers of {image} at {_engine()}.", gateway)


def _look(image: str) -> str:
    """This machine's address for containers. Raises :class:`NoContainers`."""
    try:
        client = docker.APIClient(version="auto", timeout=PATIENCE, **kwargs_from_env())
    except (DockerException, OSError):
        raise NoContainers(f"No Docker engine answers at {_engine()}") from None
    try:
        client.inspect_image(image)
        gateway = _gateway(client)
    except ImageNotFound:
        raise NoContainers(
            f"The engine at {_engine()} answers, but the image {image} is not there "
            "(make session-image)"
        ) from None
    except (DockerException, OSError) as error:
        raise NoContainers(f"The engine at {_engine()} refuses: {error}") from None
    finally:
        client.close()
    if not _is_ours(gateway):
        raise NoContainers(
            f"The engine at {_engine()} runs elsewhere (this machine has no address {gateway})"
        )
    return gateway


def _gateway(client: Any) -> str:
    try:
        told = client.inspect_network(NETWORK)
    except NotFound:
        client.create_network(NETWORK, driver="bridge", options=ALONE, check_duplicate=True)
        told = client.inspect_network(NETWORK)
    return str(told["IPAM"]["Config"][0]["Gateway"])


def _is_ours(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _engine() -> str:
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def _uncapitalised(reason: NoContainers) -> str:
    text = str(reason)
    return text[:1].lower() + text[1:]
