"""Sweeps on a real Kubernetes with Kueue: one indexed Job each, whatever fails or is cancelled."""

from __future__ import annotations

import json

import pytest

from tests.jobs.backends.conftest import kubernetes, kubernetes_desk, own_folders
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.sweeps.looking import (
    cancel_in_the_middle,
    cancel_one,
    check_failing,
    ended,
    most_at_once,
    points,
    starts,
    submit,
    submit_failing,
    until,
)
from tests.systems.kubernetes.control import NAMESPACE, Kubernetes

__all__ = ["kubernetes", "kubernetes_desk", "own_folders"]

pytestmark = [pytest.mark.system, pytest.mark.slow]

SMALL = {"memory": 256 * 2**20}


def test_a_sweep_with_a_failing_point_and_the_rerun_of_it(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    job, mended = submit_failing(kubernetes_desk, 7, 3, **SMALL)
    assert job.backend_id == f"mlinfn-{job.id}-a0"
    assert len(kubernetes.jobs(job.id)) == 1
    check_failing(kubernetes_desk, job.id, mended, 7, 3)


def test_kueue_starts_as_many_at_once_as_its_quota_allows(kubernetes_desk: Desk) -> None:
    """Seven points of one CPU each, and a quota of three."""
    cell = "import time; time.sleep(1)"
    job = submit(kubernetes_desk, cell, raw_axes={"k": "0..6"}, **SMALL)
    assert 1 <= most_at_once(kubernetes_desk, job.id, 7) <= 3


def test_at_most_so_many_run_at_once(kubernetes_desk: Desk, kubernetes: Kubernetes) -> None:
    desk = kubernetes_desk
    cell = "import time; time.sleep(1)"
    job = submit(desk, cell, raw_axes={"k": "0..3"}, throttle=1, **SMALL)
    (made,) = kubernetes.jobs(job.id)
    assert made["spec"]["parallelism"] == 1
    ended(desk, job.id)
    assert starts(desk, job.id) == dict.fromkeys(range(4), 1)


def test_a_sweep_cancelled_in_the_middle_and_one_point_of_another(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    assert kubernetes.jobs(cancel_in_the_middle(kubernetes_desk, 40, 2, **SMALL)) == []
    cancel_one(kubernetes_desk, **SMALL)


def test_kueue_evicts_a_sweep_and_its_points_start_again(kubernetes_desk: Desk) -> None:
    desk = kubernetes_desk
    cells = (desk.held(), "print('whole', k)")
    job = submit(desk, *cells, raw_axes={"k": "0..2"}, evictable=True, **SMALL)
    until(desk, job.id, lambda counts: counts.running == 3)
    other = desk.submit(desk.held(), cpus=2, file="interactive.ipynb")
    until(desk, job.id, lambda counts: counts.evicted > 0)
    desk.go()
    desk.until(other.id, "succeeded")
    assert ended(desk, job.id).state == "succeeded"
    told = points(desk, job.id)
    assert [texts(point.output) for point in told] == [[f"whole {n}\n"] for n in range(3)]
    assert max(point.attempts for point in told) == 2


def test_one_point_whose_pod_is_taken_away_is_handed_over_again(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    """What is handed over again has a gap in its numbers."""
    desk = kubernetes_desk
    cells = (desk.held(), "print('whole', k)")
    job = submit(desk, *cells, raw_axes={"k": "0..2"}, evictable=True, **SMALL)
    until(desk, job.id, lambda counts: counts.running == 3)
    for pod in kubernetes.objects("pods"):
        about = pod["metadata"]
        if about["annotations"]["batch.kubernetes.io/job-completion-index"] != "1":
            kubernetes.api.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{about['name']}")
    until(desk, job.id, lambda counts: counts.running == 1)
    desk.go()
    assert ended(desk, job.id).state == "succeeded"
    told = points(desk, job.id)
    assert [texts(point.output) for point in told] == [[f"whole {n}\n"] for n in range(3)]
    assert starts(desk, job.id) == {0: 2, 1: 1, 2: 2}


def test_a_job_of_points_that_nobody_heard_of_is_found_and_not_made_again(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    desk = kubernetes_desk
    job = submit(desk, "print(k)", raw_axes={"k": "0..2"}, **SMALL)
    note = desk.bench.folders.job(job.id) / "arrays.json"
    told = json.loads(note.read_text())
    told["arrays"][0] |= {"id": None, "answered": False}
    note.write_text(json.dumps(told))
    spec = desk.bench.folders.read_spec(job.id)
    assert desk.another().backends["kubernetes"].submit(spec) == job.backend_id
    assert len(kubernetes.jobs(job.id)) == 1
    assert ended(desk, job.id).state == "succeeded"
    assert starts(desk, job.id) == dict.fromkeys(range(3), 1)
