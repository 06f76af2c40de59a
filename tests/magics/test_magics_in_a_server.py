"""A real Jupyter server, configured by the file that the wheel installs, and its kernels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tornado.testing import bind_unused_port

pytestmark = pytest.mark.slow

CONFIGURATION = Path(__file__).parent.parent.parent / "jupyter-config" / "server-config"


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; none of one that has just ended (a look at ``git``, for example)."""
    try:
        return process.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return []


class Server:
    """A server of its own, spoken to over HTTP."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.process = process

    def kernels(self) -> list[psutil.Process]:
        """The kernels among the processes that the server has started."""
        return [one for one in self.process.children() if "ipykernel_launcher" in words_of(one)]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "token sesame", "Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, data, headers), timeout=30
        ) as answer:
            return json.load(answer)


@pytest.fixture
def options() -> list[str]:
    """Further words on the server's line."""
    return []


@pytest.fixture
def server(tmp_path: Path, options: list[str]) -> Iterator[Server]:
    config = tmp_path / "config" / "jupyter_server_config.d"
    shutil.copytree(CONFIGURATION, config)
    socket, port = bind_unused_port()
    socket.close()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_PATH": str(tmp_path / "config"),
        "JUPYTER_TOKEN": "sesame",
    }
    words = [f"--port={port}", "--allow-root", "--no-browser", f"--ServerApp.root_dir={tmp_path}"]
    process = psutil.Popen(
        [sys.executable, "-m", "jupyter_server", *words, *options],
        env=environ, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        made = Server(port, process)
        until = time.monotonic() + 60
        while True:
            try:
                made.ask("api/status")
                break
            except OSError:
                assert time.monotonic() < until
                assert process.poll() is None
                time.sleep(0.1)
        yield made
    finally:
        left = [process, *process.children(recursive=True)]
        process.terminate()
        psutil.wait_procs(left, timeout=10)
        for one in left:
            if one.is_running():
                one.kill()


def test_a_kernel_of_the_server_gets_the_magics(server: Server) -> None:
    kernel = server.ask("api/kernels", {"name": "python3"})
    (process,) = server.kernels()
    assert process.cmdline()[-1].startswith("--IPKernelApp.code_to_run=")
    assert kernel["id"] in process.cmdline()[-1]
    environ = process.environ()
    assert "PYTHONPATH" not in environ
    assert not any(name.startswith("MLINFN") for name in environ)
    assert "sesame" not in " ".join(process.cmdline())


def test_asking_for_environments_first_does_not_take_the_magics_away(server: Server) -> None:
    found = server.ask("mlinfn/api/v1/environments")
    assert "python3" in {name for row in found["environments"] for name in row["kernels"]}
    server.ask("api/kernels", {"name": "python3"})
    (process,) = server.kernels()
    assert process.cmdline()[-1].startswith("--IPKernelApp.code_to_run=")


@pytest.mark.parametrize(
    "options", [["--KernelProvisionerFactory.default_provisioner_name=local-provisioner"]]
)
def test_a_provisioner_that_the_admin_chose_is_kept(server: Server) -> None:
    server.ask("api/kernels", {"name": "python3"})
    (process,) = server.kernels()
    assert "code_to_run" not in process.cmdline()[-1]
