"""Runs of ``mlinfn`` in processes that ``prepared.py`` forks, with pipes as programs have them."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread

KEPT = ("PATH", "LANG", "LC_ALL", "TZ")


class Forks:
    """One prepared Python, until this process ends."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mlinfn-forks-")
        self._address = str(Path(self._folder.name) / "socket")
        program = Path(__file__).with_name("prepared.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(program), self._address],
            env={name: os.environ[name] for name in KEPT if name in os.environ},  # no test's home
            stdin=subprocess.PIPE,  # Python's streams are made for pipes, which each run gets
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._owner = os.getpid()
        atexit.register(self.end)

    def run(
        self,
        words: Sequence[str],
        *,
        stdin: str,
        environ: Mapping[str, str],
        folder: Path,
        timeout: float,
    ) -> tuple[int, str, str]:
        """Exit code, standard output and standard error. Raises :class:`TimeoutExpired`."""
        (inside, write_in), (read_out, out), (read_err, err) = os.pipe(), os.pipe(), os.pipe()
        run = {"words": [*words], "environ": dict(environ), "folder": str(folder)}
        until = time.monotonic() + timeout
        with self._connected() as asked:
            try:
                socket.send_fds(asked, [json.dumps(run).encode()], [inside, out, err])
            finally:
                for descriptor in (inside, out, err):
                    os.close(descriptor)
            said = (_Reader(read_out), _Reader(read_err))
            child = int(asked.recv(64))
            with suppress(BrokenPipeError), open(write_in, "w", encoding="utf-8") as stream:
                stream.write(stdin)
            asked.settimeout(timeout)
            try:
                code = int(asked.recv(64))
                texts = [reader.text(until) for reader in said]
            except TimeoutError:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*words], timeout) from None
        return code, texts[0], texts[1]

    def _connected(self) -> socket.socket:
        until = time.monotonic() + 120
        while True:
            asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                asked.connect(self._address)
                return asked
            except OSError:
                asked.close()
                if self._process.poll() is not None or time.monotonic() > until:
                    self._process.kill()
                    raise RuntimeError(self._process.communicate()[1].decode()) from None
            time.sleep(0.05)

    def end(self) -> None:
        """End the prepared Python; a child of this process leaves it to its parent."""
        if os.getpid() != self._owner:
            return
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


class _Reader(Thread):
    """Reads a pipe to its end, when the last process that has it has ended."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self._descriptor = descriptor
        self._content = b""
        self.start()

    def run(self) -> None:
        """Read."""
        with open(self._descriptor, "rb") as stream:
            self._content = stream.read()

    def text(self, until: float) -> str:
        """What was read. Raises :class:`TimeoutError`."""
        self.join(max(0.0, until - time.monotonic()))
        if self.is_alive():
            raise TimeoutError
        return self._content.decode()


@cache
def forks() -> Forks:
    """The prepared Python of this process."""
    return Forks()
