"""From the click to a durable record and to a started job, by HTTP, beside jupyter-scheduler.

Both servers are real ones on loopback with 10,000 jobs stored; both get the same two-cell notebook.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from benchmarks.bench_jobs import fill
from benchmarks.figures import Figure, quantile
from benchmarks.servers import Server, peers_python, server
from jupyter_mlinfn.settings import Mlinfn
from jupyter_mlinfn.workbench import Workbench

STORED = 10_000
POSTS = 40
STARTS = 5
PAGES = 60
OURS = "/mlinfn/api/v1/jobs"
THEIRS = "/scheduler/jobs"


def _notebooks(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, sources in (
        ("small", ("x = 1", f"open({str(root / 'started')!r}, 'w').close()")),
        ("sleep", ("x = 600", "import time; time.sleep(x)")),
    ):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        cells[0].metadata["tags"] = ["parameters"]
        book = nbformat.v4.new_notebook(cells=cells)
        book.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(book, root / f"{name}.ipynb")


def _milliseconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1e3


def _our_post(running: Server, source: str = "small.ipynb") -> Any:
    body = {"source": source, "resources": {"cpus": 1, "memory": 2**28, "time": 600}}
    return running.request("POST", OURS, body, {"Idempotency-Key": secrets.token_hex(8)})


def _their_post(running: Server) -> Any:
    body = {
        "name": "small", "input_uri": "small.ipynb", "runtime_environment_name": "python3",
        "output_formats": [], "idempotency_token": uuid.uuid4().hex,
    }  # fmt: skip
    return running.request("POST", THEIRS, body)


def _until(ask: Callable[[], bool], limit: float = 30.0) -> float:
    """Milliseconds until ``ask`` says yes."""
    begin = time.perf_counter()
    while not ask():
        if time.perf_counter() - begin > limit:
            raise TimeoutError("the job did not start in time")
        time.sleep(0.01)
    return (time.perf_counter() - begin) * 1e3


def _until_code_runs(post: Callable[[], Any], root: Path) -> tuple[float, Any]:
    """Milliseconds from the request to the first line of user code, and the answer."""
    mark = root / "started"
    mark.unlink(missing_ok=True)
    begin = time.perf_counter()
    answer = post()
    _until(mark.exists)
    return (time.perf_counter() - begin) * 1e3, answer


def _our_start(running: Server, root: Path) -> float:
    taken, answer = _until_code_runs(lambda: _our_post(running), root)
    job = f"{OURS}/{answer['id']}"
    _until(lambda: running.request("GET", job)["job"]["state"] == "succeeded", 60)
    return taken


def _their_start(running: Server, root: Path) -> float:
    taken, answer = _until_code_runs(lambda: _their_post(running), root)
    job = f"{THEIRS}/{answer['job_id']}"
    _until(lambda: running.request("GET", job)["status"] == "COMPLETED", 60)
    return taken


def _ours(folder: Path) -> dict[str, float]:
    _notebooks(folder / "root")
    _fill_ours(folder / "data" / "mlinfn")
    with server(Path(sys.executable), folder) as running:
        _our_start(running, folder / "root")  # the first one pays for all imports
        starts = [_our_start(running, folder / "root") for _ in range(STARTS)]
        first_page = [
            _milliseconds(lambda: running.request("GET", OURS + "?limit=50")) for _ in range(PAGES)
        ]
        for _ in range(os.cpu_count() or 1):
            # with all slots taken the posted jobs wait, and do not disturb the next measurement
            _our_post(running, "sleep.ipynb")
        time.sleep(3)
        posts = [_milliseconds(lambda: _our_post(running)) for _ in range(POSTS)]
        _cancel_all(running)
    return {
        "post": quantile(posts, 0.5),
        "start": quantile(starts, 0.5),
        "page": quantile(first_page, 0.95),
    }


def _fill_ours(data: Path) -> None:
    bench = Workbench(Mlinfn(data_dir=str(data)))
    fill(bench.store)
    bench.store.close()


def _cancel_all(running: Server) -> None:
    """Leave no job behind: a local job outlives the server that took it."""
    while True:
        page = running.request("GET", OURS + "?limit=100&state=queued&state=starting&state=running")
        if not page["jobs"]:
            return
        for job in page["jobs"]:
            if not job["cancelling"]:
                running.request("POST", f"{OURS}/{job['id']}/cancel")
        time.sleep(0.2)


def _fill_theirs(database: Path) -> None:
    """Copy the one stored row until there are as many as we have."""
    with sqlite3.connect(database) as connection:
        cursor = connection.execute("SELECT * FROM jobs LIMIT 1")
        names = [column[0] for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
        rows = [
            tuple(
                row[n] if n not in ("job_id", "idempotency_token") else uuid.uuid4().hex
                for n in names
            )
            for _ in range(STORED)
        ]
        marks = ",".join("?" * len(names))
        connection.executemany(f"INSERT INTO jobs VALUES ({marks})", rows)


def _theirs(folder: Path) -> dict[str, float]:
    _notebooks(folder / "root")
    database = folder / "scheduler.sqlite"
    option = f"--SchedulerApp.db_url=sqlite:///{database}"
    python = peers_python()
    with server(python, folder, option) as running:
        _their_start(running, folder / "root")
    _fill_theirs(database)
    with server(python, folder, option) as running:
        starts = [_their_start(running, folder / "root") for _ in range(STARTS)]
        first_page = [
            _milliseconds(lambda: running.request("GET", THEIRS + "?max_items=50"))
            for _ in range(PAGES)
        ]
        posts = [_milliseconds(lambda: _their_post(running)) for _ in range(10)]
        time.sleep(30)  # it starts every job at once; let them end before its folder goes
    return {
        "post": quantile(posts, 0.5),
        "start": quantile(starts, 0.5),
        "page": quantile(first_page, 0.95),
    }


def run() -> list[Figure]:
    """POST to record, POST to user code, first page: ms, with 10,000 jobs stored."""
    folder = Path(tempfile.mkdtemp())
    try:
        ours, theirs = _ours(folder / "ours"), _theirs(folder / "theirs")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    peer = "jupyter-scheduler"
    return [
        Figure("POST → durable record, p50", ours["post"], "ms", 50, peer, theirs["post"]),
        Figure("POST → first user code, p50", ours["start"], "ms", 1000, peer, theirs["start"]),
        Figure("first page of 10,000 jobs, p95", ours["page"], "ms", 100, peer, theirs["page"]),
    ]
