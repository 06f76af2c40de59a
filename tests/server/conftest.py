"""A real Jupyter server with the extension, in folders and on a port of its own.

pytest-jupyter's fixtures run their own event loop, which does not go together with
pytest-asyncio's; here everything runs on the loop of the test.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from traitlets.config import Config

from tests.server.serving import BASE, TOKEN, RecordingAuthorizer, Server


@pytest.fixture
def authorizer() -> Iterator[type[RecordingAuthorizer]]:
    RecordingAuthorizer.asked = []
    RecordingAuthorizer.denied = set()
    yield RecordingAuthorizer
    RecordingAuthorizer.denied = set()


@pytest.fixture
def mlinfn_settings() -> dict[str, Any]:
    """Further settings of ``c.Mlinfn``; tests override it."""
    return {}


@pytest.fixture
async def server(
    tmp_path: Path,
    authorizer: type[RecordingAuthorizer],
    mlinfn_settings: dict[str, Any],
) -> AsyncIterator[Server]:
    """A server on the loop of the test."""
    root = tmp_path / "root"
    root.mkdir()
    socket, port = bind_unused_port()
    config = Config(
        {
            "ServerApp": {
                "jpserver_extensions": {"jupyter_mlinfn": True},
                "authorizer_class": authorizer,
                "allow_unauthenticated_access": False,
                "base_url": BASE,
                "root_dir": str(root),
                "port": port,
                "ip": "127.0.0.1",
                "allow_root": True,
                "open_browser": False,
            },
            "IdentityProvider": {"token": TOKEN},
            "NotebookNotary": {"db_file": ":memory:"},
            "Mlinfn": mlinfn_settings,
        }
    )
    ServerApp.clear_instance()
    app = ServerApp.instance(config=config, log_level=logging.WARNING)
    app.init_signal = lambda: None
    app.initialize(argv=[], find_extensions=False, new_httpserver=False)
    http = HTTPServer(app.web_app)
    http.add_socket(socket)
    yield Server(app, root, port)
    http.stop()
    await app._cleanup()
    await http.close_all_connections()
    app.kernel_manager.context.destroy()
    ServerApp.clear_instance()


@pytest.fixture
def room(server: Server) -> Any:
    """What the handlers share."""
    return server.app.web_app.settings["mlinfn_room"]
