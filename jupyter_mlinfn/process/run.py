"""Run a program to its end: argv only, a deadline, capped output, the whole group ended."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jupyter_mlinfn.model.errors import PartMissing, Unavailable
from jupyter_mlinfn.process.redaction import redact

_CHUNK = 65536


@dataclass(frozen=True)
class Completed:
    """What a program left behind. ``truncated``: more output than the cap, the rest is gone."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float
    truncated: bool = False

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 are replaced."""
        return self.stdout.decode("utf-8", "replace")


def run(
    argv: Sequence[str],
    *,
    deadline: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    max_output: int = 4 * 2**20,
) -> Completed:
    """Run ``argv`` and wait at most ``deadline`` seconds; each stream keeps ``max_output`` bytes.

    The program gets its own session; at the deadline its whole process group is killed. A code
    other than 0 is no error here: the caller knows what it means.

    Raises :class:`PartMissing` (code ``program-missing``) when the program cannot be started and
    :class:`Unavailable` (code ``program-silent``) at the deadline.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise PartMissing(
            f"{argv[0]} cannot be started: {error.strerror or error}.", code="program-missing"
        ) from error
    with process:
        try:
            caught = _converse(process, stdin, started + deadline, max_output)
        except TimeoutError:
            raise Unavailable(
                f"{redact(' '.join(argv[:3]))} did not answer within {deadline:g} s.",
                code="program-silent",
            ) from None
        finally:
            end_group(process)
    return Completed(
        argv=tuple(argv),
        returncode=process.returncode,
        stdout=caught.kept["stdout"],
        stderr=caught.kept["stderr"],
        seconds=time.monotonic() - started,
        truncated=caught.truncated,
    )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group a program leads, and collect the program."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
    process.wait()


class _Caught:
    """The streams' first bytes; the rest is read and dropped so that the program can go on."""

    def __init__(self, cap: int) -> None:
        self.kept = {"stdout": b"", "stderr": b""}
        self.truncated = False
        self._cap = cap
        self._parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._sizes = {"stdout": 0, "stderr": 0}

    def add(self, name: str, data: bytes) -> None:
        room = self._cap - self._sizes[name]
        self.truncated = self.truncated or len(data) > room
        self._parts[name].append(data[: max(room, 0)])
        self._sizes[name] += min(len(data), max(room, 0))

    def close(self) -> _Caught:
        self.kept = {name: b"".join(parts) for name, parts in self._parts.items()}
        return self


def _converse(
    process: subprocess.Popen[bytes], stdin: bytes, until: float, max_output: int
) -> _Caught:
    """Feed and drain all pipes until the program ends; :class:`TimeoutError` at ``until``."""
    caught = _Caught(max_output)
    pending = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
            selector.register(_opened(stream), selectors.EVENT_READ, name)
        if stdin:
            os.set_blocking(_opened(process.stdin).fileno(), False)
            selector.register(_opened(process.stdin), selectors.EVENT_WRITE, "stdin")
        else:
            _opened(process.stdin).close()
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.data == "stdin":
                    pending = _feed(selector, _opened(process.stdin), pending)
                elif data := os.read(key.fd, _CHUNK):
                    caught.add(key.data, data)
                else:
                    selector.unregister(key.fileobj)
    try:
        process.wait(max(0.05, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return caught.close()


def _feed(selector: selectors.BaseSelector, stream: IO[bytes], pending: memoryview) -> memoryview:
    """Write what the pipe takes; close it when all is written or the reader is gone."""
    try:
        pending = pending[os.write(stream.fileno(), pending[:_CHUNK]) :]
    except BrokenPipeError:
        pending = pending[:0]
    if not pending:
        selector.unregister(stream)
        stream.close()
    return pending


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "all three pipes are asked for"
    return stream
