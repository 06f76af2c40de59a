"""What the hub's configuration says of the service and the culler: programs and least scopes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jupyter_mlinfn.hub.reclaim.culler import SERVICE_VARIABLE
from jupyter_mlinfn.hub.service.settings import VARIABLE, ServiceSettings

NAME: Final = "mlinfn"
CULLER: Final = "mlinfn-culler"
CULLER_SCOPES: Final = ("list:users", "read:users:activity", "read:servers", "delete:servers")
FILE: Final = "service.json"


def service_settings(
    *, leases: str, state: Path, host: str = "127.0.0.1", port: int = 10101, **reclaim: Any
) -> ServiceSettings:
    """Settings of a service that listens on ``host`` (reachable from sessions) and ``port``.

    ``reclaim`` are fields of :class:`~jupyter_mlinfn.hub.reclaim.settings.ReclaimSettings`.
    """
    listen = f"http://{host}:{port}"
    return ServiceSettings.model_validate(
        {
            "leases": leases,
            "state": state,
            "listen": listen,
            "address": f"{listen}/services/{NAME}/",
            "reclaim": reclaim,
        }
    )


def services(settings: ServiceSettings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Entries for ``c.JupyterHub.services`` and ``c.JupyterHub.load_roles``.

    Writes the settings beside the state, for the service alone. The service itself needs no
    role: it shows the hub the tokens of those who ask. Raises OSError.
    """
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = settings.state / FILE
    settings.write(file)
    python = [sys.executable, "-m"]
    return [
        {
            "name": NAME,
            "url": settings.listen,
            "command": [*python, "jupyter_mlinfn.hub.service"],
            "environment": {VARIABLE: str(file)},
            "display": False,
        },
        {
            "name": CULLER,
            "command": [
                *python,
                "jupyter_mlinfn.hub.reclaim.culler",
                f"--cull-every={settings.reclaim.cull_every}",
                "--timeout=1",
            ],
            "environment": {SERVICE_VARIABLE: settings.address},
            "display": False,
        },
    ], [{"name": CULLER, "services": [CULLER], "scopes": list(CULLER_SCOPES)}]


def prefix_of(address: str) -> str:
    """The path of the service's address, with a slash at both ends."""
    return f"{urlsplit(address).path.rstrip('/')}/"
