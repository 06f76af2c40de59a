"""The Jupyter server extension.

Loading it costs next to nothing: it registers handlers made from the table of routes. The
capabilities, their libraries, threads, processes and sockets come with the first client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server.extension.application import ExtensionApp

from jupyter_mlinfn.server.handler import UnknownPath, handlers_of
from jupyter_mlinfn.server.live import LiveSocket
from jupyter_mlinfn.server.provisioning import offer_provisioner
from jupyter_mlinfn.server.room import Room
from jupyter_mlinfn.server.storage_profiles import tell_programs
from jupyter_mlinfn.server.table import API, LIVE, ROUTES

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


class MlinfnApp(ExtensionApp):  # type: ignore[misc]  # jupyter_server is untyped to us
    """Settings come from ``jupyter_mlinfn_config.py`` (``c.Mlinfn…``), as in the program."""

    name = "mlinfn"
    description = "GPUs, environments and batch jobs inside JupyterLab"
    load_other_extensions = True
    room: Room | None = None

    def initialize_handlers(self) -> None:
        """Register every route of the table and the live socket."""
        self.handlers.extend(
            [*handlers_of(ROUTES), (LIVE, LiveSocket), (rf"{API}(?:/.*)?", UnknownPath)]
        )

    def initialize_settings(self) -> None:
        """Let the handlers find the room they work in."""
        server: ServerApp = self.serverapp
        self.room = Room(server, self.config)
        self.settings["mlinfn_room"] = self.room
        offer_provisioner(server)
        tell_programs(server)

    async def stop_extension(self) -> None:
        """Close the live socket's clients and everything that was started for them."""
        if self.room is not None:
            await self.room.close()

    def current_activity(self) -> dict[str, Any] | None:
        """Jobs outlive the server, so they are no activity of it."""
        return None
