"""What this machine offers, by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.diagnosis import Diagnosis, diagnose

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call


def report(call: Call) -> Diagnosis:
    """``GET doctor``."""
    return diagnose(call.workbench)
