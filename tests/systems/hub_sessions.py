"""Sessions that cost nothing: a spawner of files in a folder, and one program that answers for all.

``python -m tests.systems.hub_sessions PORT`` answers every request as a single-user server would
be asked for by its hub. :class:`FolderSpawner` keeps one file for each session, as an engine keeps
containers: it survives the hub, and whoever removes the file has ended the session. While a file
``hold`` lies beside the folder no session comes to its start, and with ``fail`` none starts.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jupyterhub
from jupyterhub.spawner import Spawner


class FolderSpawner(Spawner):
    """Starts nothing. ``object_id`` is what a lease is confirmed with; ``labels`` lie beside it."""

    object_id: str = ""
    labels: dict[str, str]

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.labels = {}

    @property
    def _file(self) -> Path:
        folder = Path(os.environ["MLINFN_TEST_SESSIONS"])
        return folder / f"{self.user.name}+{self.name}.json"

    async def start(self) -> tuple[str, int]:
        beside = self._file.parent.parent
        while (beside / "hold").exists():
            await asyncio.sleep(0.05)
        if (beside / "fail").exists():
            raise RuntimeError("the engine is away")
        self.object_id = uuid.uuid4().hex
        told = {
            "container": self.object_id, "labels": self.labels,
            "user": self.user.name, "server": self.name, "environment": self.get_env(),
        }  # fmt: skip
        self._file.write_text(json.dumps(told), encoding="utf-8")
        return "127.0.0.1", int(os.environ["MLINFN_TEST_SESSIONS_PORT"])

    async def stop(self, now: bool = False) -> None:
        self._file.unlink(missing_ok=True)

    async def poll(self) -> int | None:
        if self._file.exists():
            return None
        self.clear_state()  # as the real spawners do, with the session's token
        return 0


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = b'{"version": "2.0"}'
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", jupyterhub.__version__)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_about: object) -> None:
        """Nothing is logged."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Answer)
    server.daemon_threads = True
    server.serve_forever()
