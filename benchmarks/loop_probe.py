"""A server extension that measures its event loop, for ``bench_building`` alone.

Every second it keeps how late the loop was at most to do what was due, and the same without the
time in which its thread was ready and waited for a CPU (``schedstat`` of the kernel). The first
holds whatever else the machine was busy with; the second only what this process did, be it
computing, waiting for a disk, or for its other threads. Those may wait for a CPU in turn: on a
machine that is busy otherwise it tells too much, never too little.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from threading import Thread
from typing import Any

FILE_VARIABLE = "MLINFN_LOOP_PROBE"
STEP = 0.005
_WRITE_EVERY = 0.5


class Probe:
    """``seconds`` maps whole seconds (Unix) to the longest delays in ms: in all, by its own."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.seconds: dict[int, tuple[float, float]] = {}

    async def watch(self) -> None:
        """Never ends."""
        while True:
            began, queued = time.monotonic(), _queued()
            await asyncio.sleep(STEP)
            late = (time.monotonic() - began - STEP) * 1000
            own = late - (_queued() - queued) * 1000
            second = int(time.time())
            before = self.seconds.get(second, (0.0, 0.0))
            self.seconds[second] = (max(late, before[0]), max(own, before[1]))

    def write(self) -> None:
        """Never ends; in a thread, so that the loop does not wait for the disk."""
        draft = self.file.with_suffix(".draft")
        while True:
            time.sleep(_WRITE_EVERY)
            draft.write_text(json.dumps(list(self.seconds.copy().items())))
            draft.replace(self.file)


def worst(file: Path, begin: float, end: float) -> tuple[float, float]:
    """The longest delay in all and by its own between two times, in milliseconds."""
    rows = json.loads(file.read_text())
    seen = [row for second, row in rows if int(begin) <= second <= end]
    return max(late for late, _ in seen), max(own for _, own in seen)


def _queued() -> float:
    """Seconds that this thread was ready and no CPU was free for it (proc(5), ``schedstat``)."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "benchmarks.loop_probe"}]


def _load_jupyter_server_extension(server: Any) -> None:
    probe = Probe(Path(os.environ[FILE_VARIABLE]))
    Thread(target=probe.write, daemon=True).start()
    server.io_loop.add_callback(probe.watch)
