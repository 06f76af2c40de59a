"""A real Jupyter server with our extension enabled, and the kernels that it starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.blocking import BlockingKernelClient
from tornado.testing import bind_unused_port

from tests.systems.desk import until

CONFIGURATION = Path(__file__).parent.parent.parent / "jupyter-config" / "server-config"
DIFFERS = {"JPY_PARENT_PID", "JPY_SESSION_NAME", "R_SESSION_TMPDIR", "KERNEL_LAUNCH_TIMEOUT"}


class Jupyter:
    """``jupyter server`` in a home of its own, with the kernel specs of ``data``."""

    def __init__(self, home: Path, data: Path, *options: str) -> None:
        self.home = home
        shutil.copytree(CONFIGURATION, home / "config" / "jupyter_server_config.d")
        socket, self.port = bind_unused_port()
        socket.close()
        environ = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "JUPYTER_CONFIG_PATH": str(home / "config"),
            "JUPYTER_PATH": str(data),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTER_TOKEN": "sesame",
        }
        words = [f"--port={self.port}", "--allow-root", "--no-browser", *options]
        self.process = psutil.Popen(
            [sys.executable, "-m", "jupyter_server", *words, f"--ServerApp.root_dir={home}"],
            env=environ, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Jupyter:
        until(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        left = [self.process, *self.process.children(recursive=True)]
        for one in left:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(left, timeout=10)

    def _answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return bool(self._ask("api/status"))
        except OSError:
            return False

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/{path}"
        headers = {"Authorization": "token sesame", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as told:
            return json.load(told)

    def start(self, kernel: str) -> str:
        """Start a kernel; its id."""
        return str(self._ask("api/kernels", {"name": kernel})["id"])

    def process_of(self, kernel: str) -> psutil.Process:
        """The process of a kernel."""
        for process in self.process.children():
            if any(kernel in word for word in process.cmdline()):
                return process
        raise LookupError(f"the server has no kernel {kernel}")

    def ask_kernel(self, kernel: str, code: str) -> str:
        """Run code in a kernel; what it printed."""
        printed: list[str] = []

        def take(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        client = BlockingKernelClient()
        client.load_connection_file(str(self.home / "runtime" / f"kernel-{kernel}.json"))
        client.start_channels(hb=False)  # R answers none while it starts
        try:
            client.wait_for_ready(timeout=60)
            client.execute_interactive(code, allow_stdin=False, timeout=60, output_hook=take)
        finally:
            client.stop_channels()
        return "".join(printed)

    def same(self, told: Any, kernel: str) -> Any:
        """A command line or an environment without names that differ from server to server."""
        if isinstance(told, dict):
            kept = {name: text for name, text in told.items() if name not in DIFFERS}
            return {name: self.same(text, kernel) for name, text in kept.items()}
        if isinstance(told, list):
            return [self.same(text, kernel) for text in told]
        named = told.replace(kernel, "KERNEL").replace(str(self.home), "HOME")
        return named.replace(str(self.port), "PORT")
