"""Programs at work for one step: their lines as they come, and nothing left of them afterwards."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from jupyter_mlinfn.model.errors import Conflict, PartMissing
from jupyter_mlinfn.process.child import Child, start_child

_CHUNK = 1 << 16
_LOOK_EVERY = 0.1


class Children:
    """``with Children(cancelled) as children:`` every program started inside ends with it.

    Each has its own process group, and writes into a pipe that only we read: were this process
    killed, its next line would end the program, too.
    """

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._children: list[Child] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for key in list(self._selector.get_map().values()):
            os.close(key.fd)
        self._selector.close()

    def start(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> int:
        """Start ``argv``; returns its number. Raises :class:`PartMissing` when it is not there."""
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            child = start_child(argv, env=env, cwd=cwd, output=write)
        except OSError as error:
            os.close(read)
            raise PartMissing(
                f"{argv[0]} cannot be started: {error.strerror or error}.", code="program-missing"
            ) from error
        finally:
            os.close(write)
        self._children.append(child)
        self._selector.register(read, selectors.EVENT_READ, len(self._children) - 1)
        return len(self._children) - 1

    def lines(self) -> Iterator[tuple[int, str]]:
        """Number of the program and a line of it, until all have ended.

        Raises :class:`Conflict` (code ``cancelled``) soon after ``cancelled()`` becomes true.
        """
        rests = dict.fromkeys(range(len(self._children)), b"")
        while self._selector.get_map():
            if self._cancelled():
                raise Conflict("Cancelled; nothing was changed.", code="cancelled")
            for key, _ in self._selector.select(_LOOK_EVERY):
                data = os.read(key.fd, _CHUNK)
                if not data:
                    self._selector.unregister(key.fd)
                    os.close(key.fd)
                *whole, rests[key.data] = (rests[key.data] + data).split(b"\n")
                yield from ((key.data, line.decode("utf-8", "replace")) for line in whole)
        yield from ((n, rest.decode("utf-8", "replace")) for n, rest in rests.items() if rest)

    def ended(self) -> tuple[int, ...]:
        """The codes they ended with; negative: the signal."""
        return tuple(child.wait() for child in self._children)
