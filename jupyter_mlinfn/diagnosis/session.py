"""What the hub tells of this session: the ports of people's programs, and what it does not keep."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec

from jupyter_mlinfn.diagnosis.checks import Check


def ports() -> tuple[Check, ...]:
    """Where a program of this session is seen in the browser; nothing where no port is told.

    jupyter-server-proxy shows a port to whom the session belongs alone; no port is opened to
    the network for it.
    """
    told = [port for port in os.environ.get("MLINFN_PORTS", "").split(",") if port.isdecimal()]
    if not told:
        return ()
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
    where = ", ".join(f"{prefix}proxy/{port}/" for port in told)
    if find_spec("jupyter_server_proxy") is None:
        return (
            Check(
                name="ports",
                state="missing",
                text=f"Your profile has the ports {', '.join(told)}, and nothing here shows them.",
                hint="Ask for jupyter-server-proxy in the image of your profile.",
            ),
        )
    text = (
        f"A program that you start on port {' or '.join(told)} is in your browser at {where} of "
        "the hub's address. Let it listen on 127.0.0.1."
    )
    return (Check(name="ports", state="ok", text=text),)


def unkept() -> tuple[Check, ...]:
    """What the profile of this session says and its hub cannot keep; nothing where it keeps all."""
    told = os.environ.get("MLINFN_UNKEPT")
    if not told:
        return ()
    text = f"Not kept in this session: {' '.join(map(str, json.loads(told)))}"
    return (Check(name="profile", state="warning", text=text, hint="Ask those who run the hub."),)
