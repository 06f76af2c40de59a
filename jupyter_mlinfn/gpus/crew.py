"""Threads that make calls which may never return, and somebody who does not wait for them."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_QUICK: Final = 0.01


class Crew(Generic[T]):
    """Does tasks on daemon threads; a task that hangs holds up nobody but itself.

    One thread does task after task while they are quick: threads that take turns for the
    interpreter cost half as much CPU again. When nothing comes for a moment another thread goes
    on with the rest, so there are never more threads than tasks. Calls release the interpreter
    lock (ctypes), so hung threads cost nothing. A task's exception is delivered like a result.
    """

    def __init__(self, tasks: Mapping[str, Callable[[], T]]) -> None:
        self._tasks = dict(tasks)
        self._todo: deque[str] = deque()
        self._done: deque[tuple[str, T | Exception]] = deque()
        self._busy: dict[str, float] = {}
        self._resting = 0
        self._rests: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()

    def round(self, deadline: float) -> dict[str, T | Exception]:
        """Ask everybody who is free; what arrives within ``deadline`` seconds, latecomers too.

        Who is still busy from an earlier round is not waited for.
        """
        results: dict[str, T | Exception] = {}
        self._take(results)
        while not self._rests.empty():
            self._wait(0)
        now = time.monotonic()
        awaited = {name: now for name in self._tasks if name not in self._busy}
        if awaited:
            self._busy |= awaited
            self._todo.extend(awaited)
            self._send()
        until = now + deadline
        while awaited.keys() & self._busy.keys() and (left := until - time.monotonic()) > 0:
            self._wait(min(_QUICK, left) if self._todo else left)
            if self._todo and not self._done:
                self._send()
            self._take(results)
        return results

    def hung(self) -> dict[str, float]:
        """Who has not come back, and for how many seconds."""
        now = time.monotonic()
        return {name: now - since for name, since in self._busy.items()}

    def _send(self) -> None:
        """One more thread to what is to be done."""
        if self._resting:
            self._resting -= 1
            self._calls.put(None)
        else:
            threading.Thread(target=self._work, name="gpu-crew", daemon=True).start()

    def _work(self) -> None:
        while True:
            while name := self._next():
                try:
                    result: T | Exception = self._tasks[name]()
                except Exception as error:
                    result = error
                self._done.append((name, result))
            self._rests.put(None)
            self._calls.get()

    def _next(self) -> str | None:
        try:
            return self._todo.popleft()
        except IndexError:
            return None

    def _wait(self, seconds: float) -> None:
        """Until a thread comes to rest, at most ``seconds``."""
        try:
            self._rests.get(timeout=seconds)
        except queue.Empty:
            return
        self._resting += 1

    def _take(self, results: dict[str, T | Exception]) -> None:
        while self._done:
            name, result = self._done.popleft()
            del self._busy[name]
            results[name] = result
