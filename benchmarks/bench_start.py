"""What the extension costs at server start, and how long ``mlinfn --help`` takes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.servers import peers_python

ROUNDS = 7
START = """
import sys, time
from jupyter_server.serverapp import ServerApp
names = sys.argv[1].split(",") if sys.argv[1] else []
begin = time.perf_counter()
app = ServerApp(jpserver_extensions={name: True for name in names})
app.initialize(["--no-browser", "--allow-root", "--port=0", "--ServerApp.log_level=ERROR"],
               find_extensions=False)
print(time.perf_counter() - begin)
"""


def _seconds(command: list[str], folder: Path) -> str:
    environment = os.environ | {"HOME": str(folder)}
    for name in ("DATA", "CONFIG", "RUNTIME"):
        environment[f"JUPYTER_{name}_DIR"] = str(folder / name.lower())
    return subprocess.run(
        command, env=environment, cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def _start(python: Path, extension: str, folder: Path) -> float:
    return float(_seconds([str(python), "-c", START, extension], folder).splitlines()[-1])


def _added(python: Path, extension: str, folder: Path) -> float:
    """Median of (with − without), each pair measured one right after the other."""
    pairs = [
        _start(python, extension, folder) - _start(python, "", folder) for _ in range(ROUNDS + 1)
    ]
    return median(pairs[1:])


def _timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def run() -> list[Figure]:
    """Added start-up time in ms against jupyter-scheduler's, and the program's help in ms."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = _added(Path(sys.executable), "jupyter_mlinfn", folder)
        theirs = _added(peers_python(), "jupyter_scheduler", folder)
        mlinfn = Path(sys.executable).parent / "mlinfn"
        help_time = median(
            [_timed(lambda: _seconds([str(mlinfn), "--help"], folder)) for _ in range(ROUNDS)]
        )
    return [
        Figure("added to server start", ours * 1e3, "ms", 150, "jupyter-scheduler", theirs * 1e3),
        Figure("mlinfn --help", help_time * 1e3, "ms", 400),
    ]
