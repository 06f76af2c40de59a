"""Real Jupyter servers for benchmarks: ours and the peers', each in its own environment."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
PEERS = HERE / ".venvs" / "peers"
PEER_PACKAGES = (
    "jupyterlab==4.6.6",
    "jupyter_server==2.21.1",
    "jupyter-scheduler==2.12.1",
    "jupyterlab-nvdashboard==0.15.0",
    "conda-pack==0.9.2",
    "ipykernel",
)


def peers_python() -> Path:
    """The interpreter of the peers' environment, made at first use."""
    python = PEERS / "bin" / "python"
    ready, made_of = PEERS / "ready", "\n".join(PEER_PACKAGES)
    if not ready.exists() or ready.read_text() != made_of:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEER_PACKAGES], check=True)
        ready.write_text(made_of)
    return python


@dataclass
class Server:
    """A running server on loopback, with its token."""

    url: str
    token: str
    pid: int

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The decoded JSON answer; raises ``HTTPError`` as urllib does."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"token {self.token}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(
    python: Path, folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A Jupyter server whose home, data and root lie in ``folder``; ended with the block."""
    port, token = free_port(), "benchmark"
    root = folder / "root"
    root.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "HOME": str(folder),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        **(env or {}),
    }
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(
        [
            str(python), "-m", "jupyter_server", "--no-browser", "--allow-root",
            f"--port={port}", f"--ServerApp.root_dir={root}",
            f"--IdentityProvider.token={token}", *arguments,
        ],
        env=environment, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    running = Server(f"http://127.0.0.1:{port}", token, process.pid)
    try:
        _wait_until_it_answers(running, process, folder / "server.log")
        yield running
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait_until_it_answers(running: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            running.request("GET", "/api/status")
            return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                raise RuntimeError(log.read_text()[-2000:]) from None
            time.sleep(0.1)
    raise RuntimeError("the server did not answer within 30 s:\n" + log.read_text()[-2000:])
