"""What the hub's configuration says of the broker: its program and its least scopes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.hub.broker.settings import VARIABLE, Broker, BrokerSettings
from jupyter_mlinfn.profiles.spawners.sites import KubeSite

NAME: Final = "mlinfn-broker"
SCOPES: Final = ("read:users:groups", "read:servers")
FILE: Final = "broker.json"
TOLD: Final = "MLINFN_KUBERNETES_BROKER"
"""The variable by which a session knows where the broker is."""


def address_of(broker: Broker) -> str:
    """Where sessions reach the broker."""
    return broker.address or f"http://{broker.host}:{broker.port}/services/{NAME}/"


def site_of(broker: Broker, way: object) -> KubeSite:
    """The site by which jobs' pods are made: the setting's, else the hub's own. Raises TypeError
    where neither is one of Kubernetes."""
    site = broker.site or getattr(way, "site", None)
    if not isinstance(site, KubeSite):
        raise TypeError("The broker needs a KubeSite: Broker(site=KubeSite(…)).")
    return site


def broker_service(
    broker: Broker, site: KubeSite, profiles: Path, state: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Entries for ``c.JupyterHub.services`` and ``c.JupyterHub.load_roles``.

    Writes the settings beside the state, for the broker alone. Raises OSError.
    """
    listen = f"http://{broker.host}:{broker.port}"
    told = BrokerSettings(
        broker=broker, site=site, profiles=profiles, state=state,
        address=address_of(broker), listen=listen,
    )  # fmt: skip
    file = state / FILE
    told.write(file)
    return {
        "name": NAME,
        "url": listen,
        "command": [sys.executable, "-m", "jupyter_mlinfn.hub.broker"],
        "environment": {VARIABLE: str(file)},
        "display": False,
    }, {"name": NAME, "services": [NAME], "scopes": list(SCOPES)}
