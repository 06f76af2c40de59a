"""A real Docker engine for the tests: one of their own, all in one folder, and gone afterwards.

It has no bridge and sets no firewall rule, so that it leaves nothing behind on the machine.
Images are imported from folders; no registry is asked.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import parts
from tests.environments.image.tools import need

QUIET = ("--iptables=false", "--bridge=none", "--ip-forward=false")
PATIENCE = 60.0


@dataclass(frozen=True)
class Container:
    """One that runs and does nothing by itself."""

    engine: Engine
    name: str

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` in it, as its user."""
        return self.engine.docker("exec", self.name, *map(str, argv))

    def processes(self) -> list[str]:
        """The names of all processes in it, without those that ask."""
        names = "for one in /proc/[0-9]*; do [ $one = /proc/$$ ] || cat $one/comm; done"
        return sorted(self.run("sh", "-c", f"{names} 2>/dev/null; true").stdout.split())


@dataclass(frozen=True)
class Engine:
    """An engine that answers on ``socket``."""

    socket: Path
    version: str

    def docker(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The client's words; fails only where the caller looks at ``returncode``."""
        argv = ["docker", "-H", f"unix://{self.socket}", *words]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}
        return subprocess.run(argv, capture_output=True, text=True, env=environ)

    def take(self, root: Path, name: str, without: Sequence[str] = ()) -> None:
        """Make the image ``name`` of the folder ``root``."""
        left_out = [f"--exclude=./{path}" for path in without]
        tar = subprocess.Popen(["tar", "-C", root, *left_out, "-c", "."], stdout=subprocess.PIPE)
        argv = ["docker", "-H", f"unix://{self.socket}", "import", "-", name]
        subprocess.run(argv, stdin=tar.stdout, check=True, capture_output=True)
        assert tar.wait() == 0

    @contextmanager
    def container(
        self, image: str, *options: str, user: int, seen: Mapping[Path, Path]
    ) -> Iterator[Container]:
        """A container with the engine's own defaults for rights; ``seen``: inside -> outside."""
        binds = [f"--volume={outside}:{inside}:ro" for inside, outside in seen.items()]
        words = ["--rm", "--detach", "--network=none", f"--user={user}:{user}", *options, *binds]
        started = self.docker("run", *words, image, "sleep", "3600")
        assert started.returncode == 0, started.stderr
        name = started.stdout.strip()
        try:
            yield Container(self, name)
        finally:
            self.docker("rm", "--force", name)


@contextmanager
def docker_engine() -> Iterator[Engine]:
    """A Docker engine of our own; skips the test, saying why, where none can be started."""
    if os.geteuid() != 0:
        _miss("a Docker engine needs root")
    need("dockerd", "docker")
    folder = Path(tempfile.mkdtemp(prefix="mlinfn-docker-"))
    socket = folder / "socket"
    places = [f"--{key}={folder / key}" for key in ("data-root", "exec-root", "pidfile")]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", *QUIET, *places, "-H", f"unix://{socket}"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        engine = _answering(socket, daemon, folder / "log")
        parts.took_part("Docker engine", engine.version)
        yield engine
    finally:
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answering(socket: Path, daemon: subprocess.Popen[bytes], log: Path) -> Engine:
    engine = Engine(socket, "")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and daemon.poll() is None:
        told = engine.docker("version", "--format", "{{json .Server.Version}}")
        if told.returncode == 0:  # the client alone would print, but fail
            return Engine(socket, f"dockerd {json.loads(told.stdout)}")
        time.sleep(0.1)
    _miss(f"dockerd does not start: {log.read_text(errors='replace').strip()[-200:]}")
    raise AssertionError("skipped above")


def _miss(why: str) -> None:
    parts.missed("Docker engine", why)
    pytest.skip(why)
