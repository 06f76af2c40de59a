"""Threads that make calls which may never return, and somebody who does not wait for them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_QUICK: Final = 0.01


class Crew(Generic[T]):
    """One daemon thread for each task; a task that hangs holds up nobody but itself.

    The calls release the interpreter lock (ctypes), so hung threads cost nothing. A task's
    exception is delivered like a result.
    """

    def __init__(self, tasks: Mapping[str, Callable[[], T]]) -> None:
        self._done: queue.SimpleQueue[tuple[str, T | Exception]] = queue.SimpleQueue()
        self._orders: dict[str, queue.SimpleQueue[None]] = {}
        self._busy: dict[str, float] = {}
        for name, task in tasks.items():
            self._orders[name] = queue.SimpleQueue()
            threading.Thread(
                target=self._work, args=(name, task), name=f"gpu-{name}", daemon=True
            ).start()

    def _work(self, name: str, task: Callable[[], T]) -> None:
        while True:
            self._orders[name].get()
            try:
                result: T | Exception = task()
            except Exception as error:
                result = error
            self._done.put((name, result))

    def round(self, deadline: float) -> dict[str, T | Exception]:
        """Ask everybody who is free; what arrives within ``deadline`` seconds, latecomers too.

        Who is still busy from an earlier round is not waited for.
        """
        results: dict[str, T | Exception] = {}
        while not self._done.empty():
            self._take(results, 0)
        until = time.monotonic() + deadline
        awaited = self._orders.keys() - self._busy.keys()
        for name in self._orders:
            if name in awaited:
                self._busy[name] = time.monotonic()
                self._orders[name].put(None)
                # One after the other while they are quick: threads that take turns for the
                # interpreter at every call cost three times the CPU.
                self._take(results, min(_QUICK, max(0.0, until - time.monotonic())))
        while awaited & self._busy.keys() and (left := until - time.monotonic()) > 0:
            if not self._take(results, left):
                break
        return results

    def _take(self, results: dict[str, T | Exception], seconds: float) -> bool:
        try:
            name, result = self._done.get(timeout=seconds)
        except queue.Empty:
            return False
        del self._busy[name]
        results[name] = result
        return True

    def hung(self) -> dict[str, float]:
        """Who has not come back, and for how many seconds."""
        now = time.monotonic()
        return {name: now - since for name, since in self._busy.items()}
