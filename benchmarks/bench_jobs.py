"""The job index with 10,000 jobs: durable submits, first pages, following, looking back."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.figures import Figure, median, quantile
from jupyter_mlinfn.jobs.backends.protocol import Capacity, Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.rows import columns_of
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.jobs.tables import jobs
from jupyter_mlinfn.model.jobs import JobRequest
from tests.jobs.workplace import REQUEST, Kernels, Listener, code, make_spec, write_notebook

STORED = 10_000


def run() -> list[Figure]:
    """Milliseconds, on the disk of the temporary folder."""
    with tempfile.TemporaryDirectory() as where:
        folders = JobFolders(Path(where, "data"))
        folders.create()
        store = JobStore(folders.data_dir / "jobs.sqlite")
        fill(store)
        figures = [*submits(store, folders, Path(where)), *looks(store), *claims(store)]
        store.close()
    return figures


def fill(store: JobStore) -> None:
    """Ended jobs of the last months, in one transaction."""
    now = datetime.now(UTC)
    states = ("succeeded", "succeeded", "succeeded", "failed", "cancelled")
    with store.index.write() as connection:
        for number in range(STORED):
            parameters = {"epochs": number, "rate": number / 1000, "name": f"run {number}"}
            when = now - timedelta(minutes=10 * (STORED - number))
            spec = make_spec(parameters=parameters, submitted_at=when)
            row = {**columns_of(spec, REQUEST), "revision": number, "attempts": 1}
            row |= {"state": states[number % 5], "started_at": when, "ended_at": when}
            connection.execute(jobs.insert().values(**row))


def submits(store: JobStore, folders: JobFolders, where: Path) -> list[Figure]:
    """The whole way from a request to a durable record, and the index's part of it."""
    work = where / "work"
    work.mkdir()
    (work / "helper.py").write_text("x = 1\n", encoding="utf-8")
    cells = [code("epochs = 3", "parameters"), code("import helper")]
    notebook = write_notebook(work / "train.ipynb", *cells, *[code("print(1)")] * 30)
    submission = Submission(store, folders, {"local": Listener()}, Kernels(), user="bench")
    request = JobRequest(source=str(notebook), raw_parameters={"epochs": "5"})
    whole = milliseconds(lambda: submission.submit(request), 100)
    index = milliseconds(lambda: store.insert(make_spec(), REQUEST), 100)
    return [
        Figure("index: durable intent, 10,000 stored, p50", median(index), "ms"),
        Figure("submit: request → durable, 10,000 stored, p50", median(whole), "ms", asked=50),
        Figure(
            "submit: request → durable, 10,000 stored, p99", quantile(whole, 0.99), "ms", asked=300
        ),
    ]


def looks(store: JobStore) -> list[Figure]:
    """What a panel asks for."""
    first = milliseconds(store.page, 200)
    failed = milliseconds(lambda: store.page(states=("failed",)), 200)
    rare = milliseconds(lambda: store.page(search="run 77 epochs"), 100)
    counts = milliseconds(store.counts, 200)
    revision = store.revision()
    idle = milliseconds(lambda: store.changed_since(revision), 500)
    return [
        Figure("index: first page of 10,000, p95", quantile(first, 0.95), "ms", asked=100),
        Figure("index: first page of the failed, p95", quantile(failed, 0.95), "ms", asked=200),
        Figure("index: search through all, p95", quantile(rare, 0.95), "ms", asked=200),
        Figure("index: counts, p50", median(counts), "ms"),
        Figure("index: anything new? (nothing), p50", median(idle), "ms"),
    ]


def claims(store: JobStore) -> list[Figure]:
    """Slots, with what was submitted above waiting."""
    room = Capacity(cpus=10_000, memory=2**50)
    taken: list[str] = []

    def claim() -> None:
        given = store.claim("here", room, ())
        assert given is not None
        taken.append(given.job)

    claiming = milliseconds(claim, 50)
    seen = {job: Observation(state="running", attempt=1) for job in taken}
    observing = milliseconds(lambda: store.observe_all(seen), 1)
    unchanged = milliseconds(lambda: store.observe_all(seen), 50)
    return [
        Figure("index: claim of a slot, p50", median(claiming), "ms"),
        Figure("index: 50 observations with news, at once", observing[0], "ms"),
        Figure("index: 50 observations without news, p50", median(unchanged), "ms"),
    ]


def milliseconds(call: Callable[[], object], times: int) -> list[float]:
    """How long each call took."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - start))
    return taken
