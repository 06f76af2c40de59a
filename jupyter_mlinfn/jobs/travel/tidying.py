"""Far folders whose jobs are over: they are removed as soon as the other side lets us."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.jobs import JobId

AWAY: Final = "away.json"
"""In a job's folder: something of it lies elsewhere. There from before it is sent until it was
removed."""

_EVERY: Final = 60.0


class Tidying:
    """Now and then ``remove`` is called for each job that is over and left something elsewhere."""

    def __init__(self, folders: JobFolders, remove: Callable[[JobId], None]) -> None:
        self._folders = folders
        self._remove = remove
        self._done_at: float | None = None

    def tidy(self, going: Callable[[], Iterable[JobId]]) -> None:
        """``going``: the jobs that are not over."""
        now = time.monotonic()
        if self._done_at is not None and now - self._done_at < _EVERY:
            return
        self._done_at = now
        left = {path.parent.name for path in self._folders.jobs.glob(f"*/{AWAY}")}
        # asked after: one that is submitted at this moment is among them
        for job in sorted(left - set(going())) if left else ():
            self._remove(job)
