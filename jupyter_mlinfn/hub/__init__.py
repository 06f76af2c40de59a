"""The hub's side: everything that runs with JupyterHub, its spawners and its services.

``configure`` is loaded when it is asked for: the agent of a GPU host lives in this package, too,
and there is no JupyterHub on such a host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_mlinfn.hub.configuring import configure

__all__ = ["configure"]


def __getattr__(name: str) -> Any:
    if name == "configure":
        from jupyter_mlinfn.hub.configuring import configure

        return configure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
