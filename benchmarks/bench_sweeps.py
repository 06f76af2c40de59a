"""Sweeps: 10,000 points from the request to durable, a look at them, and a real Slurm's arrays."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bench_jobs import milliseconds
from benchmarks.figures import Figure, median, quantile
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Observation, SlurmSettings
from jupyter_mlinfn.jobs.backends.slurm.backend import SlurmBackend
from jupyter_mlinfn.jobs.backends.slurm.calls import Calls
from jupyter_mlinfn.jobs.backends.slurm.parsing import SEPARATOR
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.jobs import JobRequest, Resources
from jupyter_mlinfn.model.sweeps import PointFilter, Sweep
from jupyter_mlinfn.process.run import Completed
from tests.jobs.backends.desk import Desk
from tests.jobs.workplace import Kernels, Listener, code, write_notebook
from tests.systems import slurm
from tests.systems.daemons import Missing

POINTS = 10_000
ARRAY = 1000


def run() -> list[Figure]:
    """On the disk of the temporary folder; the last figures need a Slurm that can be started."""
    with tempfile.TemporaryDirectory() as where:
        figures = index(Path(where))
    with tempfile.TemporaryDirectory() as where:
        figures += looks(Path(where))
    return [*figures, *on_slurm()]


# --- without a batch system ----------------------------------------------------------------------


def index(where: Path) -> list[Figure]:
    """The request until it is durable, and pages of the table of results."""
    _folders, store, submission = bench(where)
    request = asked(where, POINTS)
    submits = milliseconds(lambda: submission.submit(request), 5)
    job = submission.submit(request).id
    seen = {
        k: Observation(state="succeeded", attempt=1, values={"loss": (7919 * k) % POINTS})
        for k in range(POINTS)
    }
    ends = milliseconds(lambda: store.observe(job, Observation(state="running", points=seen)), 1)
    wanted = PointFilter(sort="loss", order="desc")
    pages = milliseconds(lambda: store.points.page(job, wanted), 50)
    store.close()
    return [
        Figure("sweep: request → durable, 10,000 points, p50", median(submits), "ms"),
        Figure("sweep: 10,000 points end at once in the index", ends[0], "ms"),
        Figure("sweep: a page of 10,000 by a value, p95", quantile(pages, 0.95), "ms", asked=200),
    ]


def looks(where: Path) -> list[Figure]:
    """A look at a sweep on Slurm, its answer made here: text, parsing, index, folders."""
    sizes = (POINTS // 10, POINTS)
    return [one for points in sizes for one in looks_at(where / str(points), points)]


def looks_at(folder: Path, points: int) -> list[Figure]:
    """The same with so many points: none of them ended, then half of them."""
    folder.mkdir()
    _folders, store, submission = bench(folder, Told(points))
    job = submission.submit(asked(folder, points)).id
    backend = submission._backends["slurm"]
    assert isinstance(backend, SlurmBackend)
    told = backend._calls.transport
    assert isinstance(told, Told)
    figures = []
    for done in (0, points // 2):
        told.done = done
        end_those(store, job, done)
        look(store, backend, job)
        times = milliseconds(lambda: look(store, backend, job), 20)
        what = f"sweep: a look at {points:,} points, {done:,} of them ended, p50"
        figures.append(Figure(what, median(times), "ms"))
    store.close()
    return figures


def look(store: JobStore, backend: SlurmBackend, job: str) -> None:
    """What the reconciler does every two seconds."""
    store.observe_all(backend.query([store.get(job)]))


def end_those(store: JobStore, job: str, done: int) -> None:
    """The first ``done`` points have succeeded, as far as the index knows."""
    seen = {k: Observation(state="succeeded", attempt=1) for k in range(done)}
    store.observe(job, Observation(state="running", points=seen))


class Told:
    """Slurm's programs: the first ``done`` points are over, all others wait."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.done = 0
        self.names: list[str] = []

    def missing(self) -> str:
        return ""

    def person(self) -> str | None:
        return None

    def run(self, program: str, *arguments: str, deadline: float, stdin: bytes = b"") -> Completed:
        if program == "sbatch":
            self.names.append(next(one[11:] for one in arguments if one.startswith("--job-name")))
            return answer(0, f"{len(self.names)}\n")
        if program == "squeue":
            return answer(0, "".join(self.lines()))
        return answer(1, "")

    def lines(self) -> Iterator[str]:
        for array, name in enumerate(self.names, 1):
            first, last = 1001 * (array - 1), min(self.points, 1001 * array)
            over = range(first, min(last, self.done))
            for number in over:
                yield self.line(f"{array}_{number - first}", "COMPLETED", "n1", name)
            if len(over) < last - first:
                left = f"{array}_[{len(over)}-{last - first - 1}]"
                yield self.line(left, "PENDING", "", name)

    def line(self, number: str, state: str, node: str, name: str) -> str:
        parts = ("mlinfn", number, state, "None", "N/A", node, "normal", name, "token.0")
        return SEPARATOR.join(parts) + "\n"


def answer(code: int, text: str) -> Completed:
    """What a program said."""
    return Completed((), code, text.encode(), b"", 0.0)


def bench(where: Path, told: Told | None = None) -> tuple[JobFolders, JobStore, Submission]:
    """Folders, index and the way to submit: to a listener, or to Slurm as ``told``."""
    folders = JobFolders(where / "data")
    folders.create()
    store = JobStore(folders.data_dir / "jobs.sqlite", folders)
    backends: dict[str, Any] = {"local": Listener()}
    if told is not None:
        context = BackendContext(
            store=store,
            folders=folders,
            accelerators=None,  # type: ignore[arg-type]
            dispatcher_command=(),
            state_dir=where,
            slurm=SlurmSettings(poll=0.0),
        )
        backend = SlurmBackend(context)
        backend._calls = Calls(told)
        backends = {"slurm": backend}
    return folders, store, Submission(store, folders, backends, Kernels(), user="bench")


def asked(where: Path, points: int) -> JobRequest:
    """A sweep of a two-cell notebook."""
    notebook = write_notebook(where / "train.ipynb", code("k = 0", "parameters"), code("k"))
    return JobRequest(
        source=str(notebook),
        resources=Resources(cpus=1, memory=2**28, time=600),
        sweep=Sweep(raw_axes={"k": f"0..{points - 1}"}),
    )


# --- on a real Slurm -----------------------------------------------------------------------------


def on_slurm() -> list[Figure]:
    """From the request to Slurm's numbers, and an array of 1,000 beside plain ``sbatch``."""
    try:
        cluster = slurm.start()
    except Missing:
        return []
    try:
        with tempfile.TemporaryDirectory() as where, desk(cluster, Path(where)) as made:
            return _on_slurm(cluster, made)
    finally:
        cluster.stop()


def _on_slurm(cluster: slurm.Slurm, made: Desk) -> list[Figure]:
    def ours(points: int) -> float:
        begin = time.perf_counter()
        record = made.submit(
            "print(k)", cell="k = 0", sweep=Sweep(raw_axes={"k": f"0..{points - 1}"}),
            queue="closed",
        )  # fmt: skip
        took = time.perf_counter() - begin
        assert record.backend_id, record
        cluster.clear()
        return took

    def plain() -> float:
        begin = time.perf_counter()
        words = ("sbatch", "--parsable", "-p", "closed", f"--array=0-{ARRAY - 1}")
        environ = {**os.environ, **cluster.environment}
        script = b"#!/bin/sh\ntrue\n"
        subprocess.run(words, env=environ, input=script, check=True, capture_output=True)
        took = time.perf_counter() - begin
        cluster.clear()
        return took

    ours(2)
    mine, theirs = (median([call() for _ in range(5)]) for call in (lambda: ours(ARRAY), plain))
    whole = median([ours(POINTS) for _ in range(3)])
    return [
        Figure(
            "sweep: 1,000 points → accepted by Slurm",
            mine,
            "s",
            peer="plain sbatch --array",
            peer_value=theirs,
        ),
        Figure("sweep: 10,000 points → accepted by Slurm", whole, "s", asked=30),
    ]


@contextmanager
def desk(cluster: slurm.Slurm, where: Path) -> Iterator[Desk]:
    """A desk whose jobs go to ``cluster``."""
    before = dict(os.environ)
    os.environ.update(cluster.environment)
    made = Desk(where, "slurm")
    try:
        yield made
    finally:
        made.close()
        os.environ.clear()
        os.environ.update(before)
