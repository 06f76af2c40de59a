"""Environments by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.model.environments import EnvironmentList

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call


def list_environments(call: Call) -> EnvironmentList:
    """``GET environments``."""
    return call.workbench.catalogue.list()
