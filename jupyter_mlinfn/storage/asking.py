"""Asking file systems that may never answer.

A call into a dead NFS or CVMFS mount hangs in the kernel and cannot be ended. So each is made in a
thread of its own that nobody waits for longer than its deadline; the thread may stay, and while it
does, its area is *silent* and few more are begun there. They are daemons: an end of the server
does not wait for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from datetime import UTC, datetime
from threading import Lock, Thread
from typing import Any, TypeVar

from jupyter_mlinfn.model.errors import Unavailable

T = TypeVar("T")

MOST = 4
"""Calls into one area that may be on their way at once."""


class Asking:
    """Calls by area. All methods may be used from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[str, list[tuple[float, Future[Any]]]] = {}

    def begin(self, area: str, call: Callable[[], T]) -> Future[T]:
        """Start ``call`` in a thread. Raises :class:`Unavailable` (``area-silent``) where too
        many earlier ones have not come back."""
        future: Future[T] = Future()
        with self._lock:
            waiting = [one for one in self._calls.get(area, []) if not one[1].done()]
            if len(waiting) >= MOST:
                raise silent(area, time.time() - (time.monotonic() - waiting[0][0]))
            self._calls[area] = [*waiting, (time.monotonic(), future)]
        Thread(target=_run, args=(future, call), name=f"mlinfn-area-{area}", daemon=True).start()
        return future

    def within(self, area: str, seconds: float, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises; :class:`Unavailable` (``area-silent``) when it takes
        longer than ``seconds``."""
        begun = time.time()
        future = self.begin(area, call)
        try:
            return future.result(seconds)
        except Late:
            if future.done():
                raise
            raise silent(area, begun) from None


def silent(area: str, since: float) -> Unavailable:
    """The error that says that an area does not answer; ``since`` in seconds of the epoch."""
    moment = datetime.fromtimestamp(since, UTC).astimezone()
    return Unavailable(
        f"The area '{area}' has not answered since {moment:%H:%M:%S}. "
        "Its file system may be down; nothing was changed. Try again later.",
        code="area-silent",
    )


def _run(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
