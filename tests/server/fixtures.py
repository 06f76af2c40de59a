"""A real Jupyter server with the extension, in folders and on a port of its own.

pytest-jupyter's fixtures run their own event loop, which does not go together with
pytest-asyncio's; here everything runs on the loop of the test.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
import psutil
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


@pytest.fixture(autouse=True)
def begin() -> frozenset[psutil.Process]:
    """The processes of ours that were there when the test began."""
    return frozenset(psutil.Process().children(recursive=True))


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


@pytest.fixture
def make_notebook(server: Server) -> Callable[..., str]:
    """``make_notebook("a.ipynb", ["print(1)"], parameters="x = 1")``: its path for clients."""

    def make(name: str, cells: Sequence[str], *, parameters: str | None = None) -> str:
        path = server.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        if parameters is not None:
            cell = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
            notebook.cells.append(cell)
        notebook.cells += [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(notebook, path)
        return name

    return make


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs stay queued: what is submitted inside a job is started by those outside."""
    monkeypatch.setenv("MLINFN_ATTEMPT_TOKEN", "nothing-starts-here")


@pytest.fixture(autouse=True)
def end_of_all_processes(tmp_path: Path) -> Iterator[None]:
    """Kill dispatchers, supervisors, runners and kernels that work in the test's folder."""
    yield
    for _ in range(3):  # what is killed may have been starting something
        found = [one for one in psutil.process_iter() if _works_in(one, tmp_path)]
        for process in found:
            process.kill()
        psutil.wait_procs(found, timeout=5)
        if not found:
            return


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        words = [*process.cmdline(), process.environ().get("HOME", "")]
    except (psutil.Error, OSError):
        return False
    return process.pid != os.getpid() and any(str(folder) in word for word in words)
