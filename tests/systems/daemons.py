"""What the real systems of the tests have in common: daemons, a folder, an end without rests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol, TypeVar

from jupyter_mlinfn.process import tree
from tests.parts import missed


class Missing(Exception):
    """A real system cannot be had here, and why."""


class Daemons:
    """The daemons of one system. All they write lies in ``work``, by which they are found again.

    ``not_yet`` are the errors that mean, while it comes up, that it is not there yet.
    """

    not_yet: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, name: str) -> None:
        self.work = Path(tempfile.mkdtemp(prefix=f"mlinfn-{name}-"))
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = ExitStack()

    def spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Start one (again); what it says goes to the end of ``<name>.log``."""
        log = self._logs.enter_context((self.work / f"{name}.log").open("ab"))
        self._children[name] = subprocess.Popen(
            list(argv), env=dict(env), cwd=self.work, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def kill(self, name: str) -> None:
        """``kill -9`` one."""
        self._children[name].kill()
        self._children[name].wait()

    def end(self, name: str) -> None:
        """Let one end in order, and wait for that."""
        self._children[name].terminate()
        self._children[name].wait()

    def log(self, name: str) -> str:
        """What a daemon said."""
        return (self.work / f"{name}.log").read_text(errors="replace")

    def until(self, seen: Callable[[], bool], what: str, within: float = 60.0) -> None:
        """Wait until ``seen()``. Raises :class:`Missing` when a daemon ends, or after that time."""
        until, why = time.monotonic() + within, ""
        while True:
            try:
                if seen():
                    return
            except self.not_yet as error:
                why = f": {error}"
            for name, child in self._children.items():
                if child.poll() not in (None, -signal.SIGKILL):
                    raise Missing(f"{name} ended with {child.returncode}: {self.log(name)[-2000:]}")
            if time.monotonic() > until:
                raise Missing(f"{what} did not come within {within:g} s{why}")
            time.sleep(0.05)

    def left(self) -> list[int]:
        """Processes that carry the folder in their environment or command line."""
        found, mark = [], os.fsencode(self.work)
        for pid in tree.living().keys() - {os.getpid()}:
            with suppress(OSError):
                told = Path(f"/proc/{pid}/environ").read_bytes()
                if mark in told + Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def stop(self, patience: float = 5.0) -> None:
        """End all, the newest first, and whatever was started by them; remove the folder."""
        for child in reversed(self._children.values()):
            child.terminate()
        for child in self._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(patience)
            child.kill()
            child.wait()
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._logs.close()
        shutil.rmtree(self.work, ignore_errors=True)


class System(Protocol):
    """What is brought up and taken down as a whole."""

    def start(self) -> None:
        """Bring it up. Raises :class:`Missing`."""
        ...

    def stop(self) -> None:
        """Leave nothing of it behind."""
        ...


Kind = TypeVar("Kind", bound=System)


def started(system: Kind, part: str) -> Kind:
    """``system``, running. Raises :class:`Missing` with the reason, which is noted for ``part``."""
    try:
        system.start()
    except Missing as error:
        system.stop()
        missed(part, str(error).splitlines()[0])
        raise
    except BaseException:
        system.stop()
        raise
    return system


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on, all different."""
    with ExitStack() as opened:
        probes = [opened.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
