"""From the request to a job, or a sweep, that HTCondor has taken, beside plain ``condor_submit``.

The pool is real (see ``tests/systems/condor.py``), its machine is off so that nothing runs
meanwhile; 10,000 jobs are stored. ``condor_submit`` runs inside the pool's root: what entering
that root takes is measured and taken off.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench_jobs import fill
from benchmarks.figures import Figure, quantile
from jupyter_mlinfn.jobs.backends.htcondor.describing import description, items, sweep
from jupyter_mlinfn.model.sweeps import Sweep
from tests.jobs.backends.desk import Desk
from tests.systems.condor import Condor, start
from tests.systems.daemons import Missing

SUBMITS = 30
LOOKS = 20
ARRAY = 1_000
POINTS = 10_000


def _took(what: Callable[[], object]) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    what()
    return (time.perf_counter() - begin) * 1e3


def _entering(pool: Condor) -> float:
    return quantile([_took(lambda: pool.call("true")) for _ in range(5)], 0.5)


def _plain(pool: Condor, desk: Desk, job: str, points: int = 0) -> list[float]:
    """Milliseconds of ``condor_submit`` with the same description."""
    spec, folder = desk.bench.folders.read_spec(job), desk.bench.folders.job(job)
    given = description(spec, folder, {}, os.environ)
    queue = "queue\n"
    if points:
        given = sweep(spec, folder, {}, os.environ, f"{spec.token}.0")
        rows = (f"{one['Number']} {one['Index']}" for one in items(range(points), 0))
        queue = "queue Number Index from (\n" + "\n".join(rows) + "\n)\n"
    given |= {"My.MLInfnJobId": '"bench22222"'}
    file = pool.work / "plain.sub"
    file.write_text("".join(f"{key} = {text}\n" for key, text in given.items()) + queue)
    entering, taken = _entering(pool), []
    for _ in range(3 if points else SUBMITS):
        begin = time.perf_counter()
        code, said = pool.call("condor_submit", "-terse", str(file))
        taken.append((time.perf_counter() - begin) * 1e3 - entering)
        assert code == 0, said
    return taken


def _sweep(desk: Desk, points: int) -> tuple[str, float]:
    """A sweep of so many points, and the milliseconds until HTCondor had it."""
    begin = time.perf_counter()
    job = desk.submit(
        "print(k)", cell="k = 0", file=f"s{points}.ipynb",
        sweep=Sweep(raw_axes={"k": f"0..{points - 1}"}),
    )  # fmt: skip
    assert job.backend_id is not None
    return job.id, (time.perf_counter() - begin) * 1e3


def _measure(pool: Condor, root: Path) -> list[Figure]:
    desk = Desk(root, "htcondor", "c.Mlinfn.htcondor_poll_seconds = 0.5\n")
    try:
        fill(desk.bench.store)
        first = desk.submit("print(1)")  # pays for all imports
        taken = []
        for number in range(SUBMITS):
            begin = time.perf_counter()
            job = desk.submit("print(1)", file=f"n{number}.ipynb")
            taken.append((time.perf_counter() - begin) * 1e3)
            assert job.backend_id is not None
        backend = desk.bench.backends["htcondor"]
        records = desk.bench.store.unfinished("htcondor")
        looks = []
        for _ in range(LOOKS):
            time.sleep(0.55)  # as often as this desk may ask
            looks.append(_took(lambda: backend.query(records)))
        plain = _plain(pool, desk, first.id)
        array, one = _sweep(desk, ARRAY)
        arrays = _plain(pool, desk, array, ARRAY)
        _all, large = _sweep(desk, POINTS)
    finally:
        desk.close()
    name, peer = "HTCondor: submit → accepted with its id", "plain condor_submit"
    many = f"HTCondor: a sweep of {ARRAY:,} points → accepted"
    return [
        Figure(f"{name}, p50", quantile(taken, 0.5), "ms", 1000, peer, quantile(plain, 0.5)),
        Figure(f"{name}, p95", quantile(taken, 0.95), "ms", None, peer, quantile(plain, 0.95)),
        Figure(many, one, "ms", None, peer, quantile(arrays, 0.5)),
        Figure(f"HTCondor: a sweep of {POINTS:,} points → accepted", large / 1e3, "s", 30),
        Figure(f"HTCondor: one look at {SUBMITS + 1} jobs, p95", quantile(looks, 0.95), "ms"),
        Figure("HTCondor of the tests: up after", pool.took, "s"),
    ]


def run() -> list[Figure]:
    """Submit, sweep, query; nothing where HTCondor cannot be had."""
    try:
        pool = start()
    except Missing as error:
        print(f"No HTCondor here: {error}", file=sys.stderr)
        return []
    try:
        os.environ |= pool.environment
        pool.call("condor_off", "-startd", "-fast")
        with tempfile.TemporaryDirectory() as folder:
            return _measure(pool, Path(folder))
    finally:
        pool.stop()
