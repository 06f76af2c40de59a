"""From the request to a Job that Kubernetes has taken, beside the bare call of its API.

The control plane and Kueue are real (see ``tests/systems/kubernetes``); 10,000 jobs are stored.
"""

from __future__ import annotations

import copy
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench_jobs import fill
from benchmarks.figures import Figure, quantile
from tests.jobs.backends.desk import Desk
from tests.systems.daemons import Missing
from tests.systems.kubernetes.control import NAMESPACE, Kubernetes, start

SUBMITS = 30
LOOKS = 20
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"


def _bare(cluster: Kubernetes, job: str) -> list[float]:
    """Milliseconds of each plain POST of the same Job."""
    (made,) = cluster.jobs(job)
    taken = []
    for number in range(SUBMITS):
        body = {"metadata": {"name": f"bare-{number}"}, "spec": copy.deepcopy(made["spec"])}
        body["spec"].pop("selector")
        body["spec"]["template"]["metadata"] = {}
        body["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "closed"}
        begin = time.perf_counter()
        cluster.api.post(JOBS, body)
        taken.append((time.perf_counter() - begin) * 1e3)
    return taken


def _measure(cluster: Kubernetes, root: Path) -> list[Figure]:
    desk = Desk(root, "kubernetes", cluster.settings(root))
    try:
        fill(desk.bench.store)
        first = desk.submit("print(1)", queue="closed")  # pays for all imports
        taken = []
        for number in range(SUBMITS):
            begin = time.perf_counter()
            job = desk.submit("print(1)", queue="closed", file=f"n{number}.ipynb")
            taken.append((time.perf_counter() - begin) * 1e3)
            assert job.backend_id is not None
        backend = desk.bench.backends["kubernetes"]
        records = desk.bench.store.unfinished("kubernetes")
        looks = []
        for _ in range(LOOKS):
            time.sleep(0.55)  # as often as this desk may ask
            begin = time.perf_counter()
            assert len(backend.query(records)) == SUBMITS + 1
            looks.append((time.perf_counter() - begin) * 1e3)
        bare = _bare(cluster, first.id)
    finally:
        desk.close()
    peer = "plain POST of the Job"
    name = "Kubernetes: submit → accepted with its id"
    return [
        Figure(f"{name}, p50", quantile(taken, 0.5), "ms", 2000, peer, quantile(bare, 0.5)),
        Figure(f"{name}, p95", quantile(taken, 0.95), "ms", None, peer, quantile(bare, 0.95)),
        Figure(f"Kubernetes: one look at {SUBMITS + 1} jobs, p95", quantile(looks, 0.95), "ms"),
        Figure("Kubernetes and Kueue of the tests: up after", cluster.took, "s"),
    ]


def run() -> list[Figure]:
    """Submit, query; nothing where the control plane cannot be had."""
    try:
        cluster = start()
    except Missing as error:
        print(f"No Kubernetes here: {error}", file=sys.stderr)
        return []
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _measure(cluster, Path(folder))
    finally:
        cluster.stop()
