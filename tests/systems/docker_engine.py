"""A real Docker engine for the tests: one of their own, all in one folder, and gone afterwards.

It has no bridge and sets no firewall rule (hub.md, section 3), so that it leaves nothing behind on
the machine; its containers have the machine's network or none. Images are imported from folders;
no registry is asked. Debian 12's engine (20.10) and newer ones (28) take the same words.

An engine that is started ``with_devices`` finds NVIDIA's hook on its ``PATH``: a stand-in that
notes what it is asked for. The engine then takes device requests as it does on a machine with
NVIDIA's toolkit, puts ``NVIDIA_VISIBLE_DEVICES`` into the container itself and runs the hook before
the container's program, so that a test sees which devices reached which container. No driver, no
device node and no library come with it: what NVIDIA's own hook does with the UUIDs is not tested.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.process import tree
from tests.parts import missed, took_part
from tests.systems import debian
from tests.systems.daemons import Daemons, Missing

PART = "Docker engine"
_HOOK_NAME = "nvidia-container-runtime-hook"
_HOOK = """\
#!/bin/sh
# Stand-in for NVIDIA's hook: one file for each container, with the devices it was started with.
[ "$1" = prestart ] || exit 0
exec {python} -I -c '
import json, pathlib, sys
state = json.load(sys.stdin)
bundle = pathlib.Path(state["bundle"], "config.json")
told = json.loads(bundle.read_text())["process"]["env"]
words = [one.split("=", 1)[1] for one in told if one.startswith("NVIDIA_VISIBLE_DEVICES=")]
pathlib.Path("{noted}", state["id"]).write_text(words[-1] if words else "")
'
"""
_CONTAINERD = """\
version = 2
root = "{work}/containerd-root"
state = "{work}/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{work}/containerd.sock"
"""
_DETACH = 2


@dataclass(frozen=True)
class Container:
    """One that runs and does nothing by itself."""

    engine: DockerEngine
    name: str

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` in it, as its user."""
        return self.engine.docker("exec", self.name, *map(str, argv))

    def processes(self) -> list[str]:
        """The names of all processes in it, without those that ask."""
        names = "for one in /proc/[0-9]*; do [ $one = /proc/$$ ] || cat $one/comm; done"
        return sorted(self.run("sh", "-c", f"{names} 2>/dev/null; true").stdout.split())


class DockerEngine(Daemons):
    """An engine that answers on ``socket``; ``version`` is known when it has started."""

    network: tuple[str, ...] = (
        "--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false",
    )  # fmt: skip
    """What its daemon is told of the network."""

    def __init__(self, with_devices: bool = False) -> None:
        super().__init__("docker")
        self.socket = self.work / "socket"
        self.version = ""
        self._with_devices = with_devices
        self._noted = self.work / "devices"

    @property
    def url(self) -> str:
        """For ``DOCKER_HOST``."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Bring it up and wait until it answers. Raises :class:`Missing`."""
        prepare()
        self.launch()
        took_part(PART, self.version)

    def launch(self) -> None:
        """Start the daemon (again, after :meth:`kill`); containers that live are taken over."""
        if "containerd" not in self._children:
            self._launch_containerd()
        places = [f"--{key}={self.work / key}" for key in ("data-root", "exec-root", "pidfile")]
        below = f"--containerd={self.work / 'containerd.sock'}"
        with suppress(FileNotFoundError):  # a killed daemon leaves it, and would not start
            (self.work / "pidfile").unlink()
        argv = ["dockerd", *self.network, "--live-restore", below, *places, "-H", self.url]
        self.spawn("dockerd", argv, self._environ())
        self.until(self._answers, "dockerd")

    def _launch_containerd(self) -> None:
        """One of our own: dockerd would take the machine's, or leave one behind when killed."""
        address = self.work / "containerd.sock"
        configuration = self.work / "containerd.toml"
        configuration.write_text(_CONTAINERD.format(work=self.work))
        self.spawn("containerd", ["containerd", "--config", str(configuration)], self._environ())
        self.until(address.is_socket, "containerd")

    def docker(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The client's words; fails only where the caller looks at ``returncode``."""
        argv = ["docker", "-H", self.url, *words]
        return subprocess.run(argv, capture_output=True, text=True, env=self._environ())

    def take(self, root: Path, name: str, without: Sequence[str] = ()) -> None:
        """Make the image ``name`` of the folder ``root``."""
        left_out = [f"--exclude=./{path}" for path in without]
        tar = subprocess.Popen(["tar", "-C", root, *left_out, "-c", "."], stdout=subprocess.PIPE)
        argv = ["docker", "-H", self.url, "import", "-", name]
        try:
            subprocess.run(
                argv, stdin=tar.stdout, check=True, capture_output=True, env=self._environ()
            )
        finally:
            assert tar.stdout is not None
            tar.stdout.close()
            code = tar.wait()
        assert code == 0

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

    def containers(self, *options: str) -> list[str]:
        """Full ids of the containers, also of those that ended; ``options`` of ``docker ps``."""
        return self.docker("ps", "--all", "--quiet", "--no-trunc", *options).stdout.split()

    def devices(self, container: str) -> tuple[str, ...] | None:
        """UUIDs that the hook was given for a container (full id); ``None``: it never ran."""
        with suppress(FileNotFoundError):
            return tuple(filter(None, (self._noted / container).read_text().split(",")))
        return None

    def left(self) -> list[int]:
        """Processes of the engine and of its containers."""
        return sorted({*super().left(), *self._contained()})

    def stop(self, patience: float = 30.0) -> None:
        """Remove the containers, end the daemons, unmount all they mounted, remove the folder."""
        found = self.containers() if self.socket.is_socket() else []
        if found:
            self.docker("rm", "--force", "--volumes", *found)
        if "dockerd" in self._children:
            self._children["dockerd"].terminate()
            with suppress(subprocess.TimeoutExpired):
                self._children["dockerd"].wait(patience)
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _unmount_below(self.work)
        super().stop(patience)

    def _answers(self) -> bool:
        told = self.docker("version", "--format", "{{json .Server.Version}}")
        if told.returncode == 0:  # the client alone would print, but fail
            self.version = f"dockerd {json.loads(told.stdout)}"
        return told.returncode == 0

    def _contained(self) -> list[int]:
        """Processes in a control group that is named after one of the containers."""
        folder = self.work / "data-root" / "containers"
        ids = [os.fsencode(one.name) for one in folder.iterdir()] if folder.is_dir() else []
        found = []
        for pid in tree.living() if ids else ():
            with suppress(OSError):
                groups = Path(f"/proc/{pid}/cgroup").read_bytes()
                if any(one in groups for one in ids):
                    found.append(pid)
        return found

    def _environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}
        kept["DOCKER_CONFIG"] = str(self.work / "client")
        if self._with_devices:
            kept["PATH"] = f"{self._put_hook()}:{kept['PATH']}"
        return kept

    def _put_hook(self) -> Path:
        folder = self.work / "bin"
        hook = folder / _HOOK_NAME
        if not hook.exists():
            folder.mkdir()
            self._noted.mkdir()
            python = shutil.which("python3", path="/usr/bin") or shutil.which("python3")
            hook.write_text(_HOOK.format(python=python, noted=self._noted))
            hook.chmod(0o755)
        return folder


def prepare() -> None:
    """Have Docker's programs. Raises :class:`Missing`, which is noted."""
    try:
        if os.geteuid() != 0:
            raise Missing("a Docker engine needs root")
        if not (shutil.which("dockerd") and shutil.which("docker")):
            debian.install("docker.io")
    except Missing as error:
        missed(PART, str(error))
        raise


def _unmount_below(folder: Path) -> None:
    """Detach every mount below ``folder``, the deepest first, before anything is removed there."""
    libc = ctypes.CDLL(None, use_errno=True)
    for place in sorted(_mounted_below(folder), key=len, reverse=True):
        if libc.umount2(os.fsencode(place), _DETACH) != 0:
            raise OSError(ctypes.get_errno(), "cannot unmount", place)


def _mounted_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [place for place in places if place.startswith(f"{folder}/")]
