"""How far behind a job people see it: a log line, and the partial notebook, on every back-end.

The job prints the time ten times a second. A follower asks a real server for the log as the job's
page does, and for the notebook; how old each line is when it is there first is what counts. The
job runs on this machine, in a real Slurm, a real HTCondor and a real Kubernetes whose kubelet is
simulated (see ``tests/systems``); all of them share the folder of jobs.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import nbformat

from benchmarks.figures import Figure, quantile
from benchmarks.servers import Server, server
from jupyter_mlinfn.model.jobs import ENDED
from tests.systems import condor, slurm
from tests.systems.daemons import Missing
from tests.systems.kubernetes import control

LINES = 250
EVERY = 0.5
"""Seconds between two questions for the log, as the job's page asks (``src/jobs/jobmodel.ts``)."""

JOBS = "/mlinfn/api/v1/jobs"
PATIENCE = 120.0
CODE = f"""\
import time
for number in range({LINES}):
    print(f"tick {{time.time():.3f}}")
    time.sleep(0.1)
"""
_TICK = re.compile(r"tick ([0-9.]+)\n")
LOG_ASKED = {"kubernetes": 3.0}
"""Seconds; elsewhere 1."""


class System(Protocol):
    """What the systems of the tests have in common."""

    environment: dict[str, str]

    def stop(self) -> None:
        """End it."""


@dataclass(frozen=True)
class Place:
    """A back-end, its variables and the configuration that names it."""

    backend: str
    environ: dict[str, str]
    settings: str = ""


def run() -> list[Figure]:
    """Seconds, of every back-end that can be had here."""
    figures: list[Figure] = []
    for way in (_local, _slurm, _htcondor, _kubernetes):
        with tempfile.TemporaryDirectory(
            prefix="mlinfn-bench-", ignore_cleanup_errors=True
        ) as folder:
            try:
                with way(Path(folder)) as place:
                    figures += _measured(place, Path(folder))
            except Missing as error:
                print(f"… {error}", file=sys.stderr)
    return figures


# -- where --------------------------------------------------------------------------------------


@contextmanager
def _local(_folder: Path) -> Iterator[Place]:
    yield Place("local", {})


@contextmanager
def _slurm(_folder: Path) -> Iterator[Place]:
    with _running(slurm.start) as cluster:
        yield Place("slurm", cluster.environment)


@contextmanager
def _htcondor(_folder: Path) -> Iterator[Place]:
    with _running(condor.start) as pool:
        yield Place("htcondor", pool.environment)


@contextmanager
def _kubernetes(folder: Path) -> Iterator[Place]:
    cluster = control.start()
    try:
        yield Place("kubernetes", {}, cluster.settings(folder))
    finally:
        cluster.stop()


@contextmanager
def _running(start: Callable[[], System]) -> Iterator[System]:
    system = start()
    try:
        yield system
    finally:
        system.stop()


# -- what ---------------------------------------------------------------------------------------


def _measured(place: Place, folder: Path) -> list[Figure]:
    config, root = folder / "config", folder / "root"
    for made in (config, root):
        made.mkdir()
    (config / "jupyter_mlinfn_config.py").write_text(place.settings)
    cell = nbformat.v4.new_code_cell(CODE)
    book = nbformat.v4.new_notebook(cells=[cell])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "P", "language": "python"}
    nbformat.write(book, root / "ticks.ipynb")
    extension = "--ServerApp.jpserver_extensions={'jupyter_mlinfn': True}"
    with server(Path(sys.executable), folder, extension, env=place.environ) as running:
        lines, books = _followed(running, place)
    name = f"{place.backend}: "
    return [
        Figure(f"{name}log line visible, p95", quantile(lines, 0.95), "s",
               LOG_ASKED.get(place.backend, 1.0)),
        Figure(f"{name}log line visible, p50", quantile(lines, 0.5), "s"),
        Figure(f"{name}partial notebook behind, most", max(books), "s", 10.0),
    ]  # fmt: skip


def _followed(running: Server, place: Place) -> tuple[list[float], list[float]]:
    """Ages of the log's lines when they were there first, and of the notebook's newest line at
    every look while lines were still to come; seconds."""
    asked = {"cpus": 1, "memory": 2**28, "time": 600}
    body = {"source": "ticks.ipynb", "backend": place.backend, "resources": asked}
    job = running.request("POST", JOBS, body)["id"]
    lines: list[float] = []
    books: list[float] = []
    start, until = 0, time.monotonic() + PATIENCE
    while len(lines) < LINES:
        if time.monotonic() > until:
            raise TimeoutError(running.request("GET", f"{JOBS}/{job}"))
        chunk = running.request("GET", f"{JOBS}/{job}/log?start={start}")
        now, start = time.time(), chunk["next"]
        lines += [now - float(told) for told in _TICK.findall(chunk["text"])]
        if 0 < len(lines) < LINES:
            books += _age(running.request("GET", f"{JOBS}/{job}/notebook"))
        time.sleep(EVERY)
    while running.request("GET", f"{JOBS}/{job}")["job"]["state"] not in ENDED:
        time.sleep(EVERY)
    return lines, books


def _age(told: Any) -> list[float]:
    """How old the newest line in the notebook is; nothing while it has none."""
    text = "".join(
        part
        for cell in told["content"]["cells"]
        for output in cell.get("outputs", ())
        for part in output.get("text", ())
    )
    ticks = _TICK.findall(text)
    return [time.time() - float(ticks[-1])] if ticks else []
