"""120,000 jobs through the index: does memory, or the time of one operation, grow with them?

Every job is submitted by itself and ends; what is seen of them comes in lots, as a watcher brings
it. The database lies in memory where that can be had: the disk's own time is another figure
(``bench_jobs``), and 120,000 commits to a disk are a matter of hours.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from benchmarks.figures import Figure, median
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.jobs import JobSpec, JobState
from tests.jobs.workplace import REQUEST, make_spec

JOBS = int(os.environ.get("MLINFN_BENCH_JOBS", "120000"))
PARTS = 12
LOT = 200
STATES: tuple[JobState, ...] = ("running", "succeeded")
WARM = 2
"""Parts before memory counts: caches of statements and of the database fill in them."""

SHARED_MEMORY = Path("/dev/shm")


@dataclass
class Part:
    """Seconds of CPU of each operation in one part, and bytes of memory after it."""

    submits: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    memory: int = 0


def run() -> list[Figure]:
    """Growth of memory in percent, and of the median CPU time of operations."""
    where = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        store = JobStore(Path(folder, "jobs.sqlite"))
        parts = [_part(store) for _ in range(PARTS)]
        store.close()
    first, last = parts[WARM - 1], parts[-1]
    name = f"{JOBS:,} jobs through the index"
    done = JOBS // PARTS * WARM
    return [
        Figure(f"{name}: memory more than after {done:,}",
               (last.memory / first.memory - 1) * 100, "%", 5),
        _growth(f"{name}: a submit (CPU)", first.submits, last.submits),
        _growth(f"{name}: a look at {LOT} (CPU)", first.looks, last.looks),
        _growth(f"{name}: first page (CPU)", first.pages, last.pages),
    ]  # fmt: skip


def _growth(name: str, first: Sequence[float], last: Sequence[float]) -> Figure:
    """The last part's median; its peer is the time of the first parts."""
    return Figure(name, median(last) * 1e3, "ms", None, "among the first", median(first) * 1e3)


def _part(store: JobStore) -> Part:
    told = Part()
    for lot in _lots(JOBS // PARTS):
        for spec in lot:
            told.submits.append(_cpu(partial(store.insert, spec, REQUEST)))
        for state in STATES:
            seen = {one.id: Observation(state=state, attempt=1) for one in lot}
            told.looks.append(_cpu(partial(store.observe_all, seen)))
        told.pages.append(_cpu(lambda: store.page(limit=50)))
    gc.collect()
    told.memory = psutil.Process().memory_info().rss
    return told


def _lots(jobs: int) -> Iterator[list[JobSpec]]:
    for begin in range(0, jobs, LOT):
        yield [make_spec() for _ in range(min(LOT, jobs - begin))]


def _cpu(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin
