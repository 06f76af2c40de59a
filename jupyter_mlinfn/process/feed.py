"""Programs of our own that answer in lines for as long as somebody reads them.

The program ends by itself when its standard input is closed, so it does not outlive its reader
even after kill -9. The reader never waits for it: a program that hangs in a driver call cannot
be ended even by SIGKILL until the call returns.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from jupyter_mlinfn.model.errors import PartMissing

_CHUNK = 1 << 18
_MAX_LINE = 16 * 2**20

_abandoned: list[subprocess.Popen[bytes]] = []
_abandoned_lock = threading.Lock()


class LineFeed:
    """One started program. Not thread-safe: one reader.

    Raises :class:`PartMissing` (code ``program-missing``) when it cannot be started.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=None if env is None else dict(env),
                start_new_session=True,
            )
        except OSError as error:
            raise PartMissing(
                f"{argv[0]} cannot be started: {error.strerror or error}.", code="program-missing"
            ) from error
        assert self._process.stdout is not None
        self._stdout = self._process.stdout
        self._rest = b""
        self.ended = False
        os.set_blocking(self.fileno(), False)

    @property
    def pid(self) -> int:
        """Its PID, for messages and tests."""
        return self._process.pid

    def fileno(self) -> int:
        """Readable when there may be a line, or the end."""
        return self._stdout.fileno()

    def lines(self) -> list[bytes]:
        """The whole lines that arrived; does not wait. Sets ``ended`` when no more will come."""
        while not self.ended:
            try:
                data = os.read(self.fileno(), _CHUNK)
            except BlockingIOError:
                break
            self.ended = not data
            self._rest += data
            if len(self._rest) > _MAX_LINE:
                self.ended = True
                self._rest = b""
        *whole, self._rest = self._rest.split(b"\n")
        return whole

    def wait_for_line(self, seconds: float) -> bytes | None:
        """The next line, or ``None`` when none came in time or the program ended before."""
        until = time.monotonic() + seconds
        while True:
            if whole := self.lines():
                self._rest = b"\n".join([*whole[1:], self._rest])
                return whole[0]
            left = until - time.monotonic()
            if self.ended or left <= 0 or not select.select([self.fileno()], [], [], left)[0]:
                return None

    def send(self, line: bytes) -> bool:
        """Write to the program's standard input; ``False`` when it has ended.

        For short lines: the write waits while the pipe is full.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self.ended = True
        return not self.ended

    def abandon(self) -> None:
        """Kill it and whatever it started, and forget it; its end is collected some time later."""
        for stream in (self._process.stdin, self._stdout):
            if stream is not None:
                # a line that did not go out when the program ended is tried once more by this
                with suppress(BrokenPipeError):
                    stream.close()
        self.ended = True
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                self._process.kill()
        collect(self._process)


def collect(*more: subprocess.Popen[bytes]) -> int:
    """Collect abandoned programs that have ended by now; how many have not."""
    with _abandoned_lock:
        _abandoned.extend(more)
        _abandoned[:] = [one for one in _abandoned if one.poll() is None]
        return len(_abandoned)
