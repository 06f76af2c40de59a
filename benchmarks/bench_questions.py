"""How often a batch system is asked: at most one question under way, however many look.

A real server watches 200 jobs on Slurm while 20 pages follow the list and each asks for pages of
it as fast as they come. Slurm's programs are replaced by one that notes when it began and ended,
and takes half a second to answer: every real call is counted.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import websocket

from benchmarks.figures import Figure
from benchmarks.servers import Server, server
from jupyter_mlinfn.jobs.backends.slurm.parsing import SEPARATOR
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from tests.jobs.workplace import REQUEST, make_spec

WAITING = 200
PAGES = 20
SECONDS = 20.0
TAKES = 0.5

PROGRAM = f"""#!/bin/sh
began=$(date +%s.%N)
sleep {TAKES}
case "$*" in *--states=all*) echo "$began $(date +%s.%N)" >> "$(dirname "$0")/calls";; esac
cat "$(dirname "$0")/answer"
"""
SUBSCRIBE = '{"type": "subscribe", "topic": "jobs"}'
JOBS = "/mlinfn/api/v1/jobs"


def run() -> list[Figure]:
    """The most questions about all jobs at one moment, and how many there were."""
    with tempfile.TemporaryDirectory(prefix="mlinfn-bench-") as made:
        folder = Path(made)
        programs = _programs(folder)
        _fill(folder / "data" / "mlinfn", programs)
        config = folder / "config"
        config.mkdir()
        (config / "jupyter_mlinfn_config.py").write_text(
            f"c.Mlinfn.slurm_programs = {str(programs)!r}\n"
        )
        extension = "--ServerApp.jpserver_extensions={'jupyter_mlinfn': True}"
        with server(Path(sys.executable), folder, extension) as running, ExitStack() as pages:
            answers = [pages.enter_context(_page(running)) for _ in range(PAGES)]
            time.sleep(SECONDS)
        calls = _calls(programs / "calls")
    name = f"questions to Slurm about {WAITING} jobs, {PAGES} pages"
    asked = sum(map(len, answers))
    return [
        Figure(f"{name}: most at once", _most(calls), "", 1),
        Figure(f"{name}: in all", len(calls), "", None, "requests of the pages", asked),
    ]


def _programs(folder: Path) -> Path:
    programs = folder / "programs"
    programs.mkdir()
    (programs / "answer").touch()
    for name in ("sbatch", "squeue", "scancel", "sinfo", "sacct", "scontrol"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    return programs


def _fill(data: Path, programs: Path) -> None:
    """Jobs that Slurm has, and its answer about them."""
    folders = JobFolders(data)
    folders.create()
    store = JobStore(data / "jobs.sqlite")
    lines = []
    for number in range(1, WAITING + 1):
        spec = make_spec(backend="slurm", submitted_at=datetime.now(UTC))
        folders.job(spec.id).mkdir(parents=True)
        (folders.job(spec.id) / "job.json").write_text(spec.model_dump_json())
        folders.mark_committed(spec.id)
        store.insert(spec, REQUEST)
        store.accepted(spec.id, str(number))
        name = f"mlinfn-{spec.id}"
        parts = ("mlinfn", str(number), "PENDING", "None", "N/A", "", "normal", name, spec.token)
        lines.append(SEPARATOR.join(parts))
    (programs / "answer").write_text("\n".join(lines) + "\n")
    store.close()


@contextmanager
def _page(running: Server) -> Iterator[list[float]]:
    """A panel: follows the list, and asks for its first page again and again; when it did."""
    url = running.url.replace("http", "ws", 1) + "/mlinfn/live"
    socket = websocket.create_connection(url, header=[f"Authorization: token {running.token}"])
    socket.send(SUBSCRIBE)
    over = threading.Event()
    asked: list[float] = []

    def look() -> None:
        while not over.is_set():
            running.request("GET", JOBS + "?limit=50")
            asked.append(time.monotonic())
            over.wait(0.2)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield asked
    finally:
        over.set()
        looking.join()
        socket.close()


def _calls(file: Path) -> list[tuple[float, float]]:
    rows = (line.split() for line in file.read_text().splitlines())
    return [(float(began), float(ended)) for began, ended in rows]


def _most(calls: list[tuple[float, float]]) -> int:
    """How many calls were under way together at most."""
    return max(sum(b <= began < e for b, e in calls) for began, _ended in calls)
