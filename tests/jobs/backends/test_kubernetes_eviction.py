"""Kueue takes an evictable job's place back for interactive work, for real; it runs again."""

from __future__ import annotations

import pytest

from tests.jobs.backends.desk import COUNTS_STARTS, Desk, texts
from tests.jobs.engine.training import CALM, TELLS, TRAINING, WAITS
from tests.systems.kubernetes.control import Kubernetes

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_kueue_evicts_for_interactive_work_and_the_second_attempt_succeeds(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    desk = kubernetes_desk
    job = desk.submit(*COUNTS_STARTS, cpus=2, evictable=True)
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    other = desk.submit(desk.held(), cpus=2, file="interactive.ipynb")
    evicted = desk.until(job.id, "evicted")
    assert evicted.reason is not None
    assert evicted.reason.code == "preempted"
    (workload,) = (
        one for one in kubernetes.objects("workloads") if job.id in one["metadata"]["name"]
    )
    told = {one["type"]: one for one in workload["status"]["conditions"]}
    assert told["Preempted"]["status"] == "True"
    desk.go()
    desk.until(other.id, "succeeded")
    done = desk.until(job.id, "succeeded", within=90)
    assert (done.attempts, done.evictions) == (2, 1)
    assert done.backend_id == job.backend_id
    assert texts(done.output) == ["start 2\n", "done\n"]
    first, second = desk.bench.store.attempts(job.id)
    assert (first.state, second.state) == ("evicted", "succeeded")
    assert desk.partial(job.id, 1) == ["start 1\n"]


def test_a_training_that_gives_way_to_interactive_work_ends_with_the_same_weights(
    kubernetes_desk: Desk,
) -> None:
    desk = kubernetes_desk
    job = desk.submit(TRAINING, WAITS, TELLS, cpus=2, evictable=True)
    desk.until(job.id, "running")
    desk.until_recorded(job.id, 8)
    other = desk.submit(desk.held(), cpus=2, file="interactive.ipynb")
    desk.until(job.id, "evicted")
    desk.go()
    desk.until(other.id, "succeeded")
    done = desk.until(job.id, "succeeded", within=120)
    assert (done.attempts, done.evictions) == (2, 1), desk.story(job.id)
    assert done.checkpoint_at is not None
    resumed, digest = texts(done.output)[-1].split()
    assert int(resumed) >= 8
    undisturbed = desk.submit(TRAINING, CALM, TELLS, file="calm.ipynb")
    calm = desk.until(undisturbed.id, "succeeded", within=90)
    assert texts(calm.output)[-1].split() == ["0", digest]


def test_what_kubernetes_does_not_start_again_by_itself_is_handed_over_again(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    """A pod that somebody deletes by hand ends its Job."""
    desk = kubernetes_desk
    job = desk.submit(*COUNTS_STARTS, evictable=True)
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    kubernetes.delete_pods()
    assert desk.until(job.id, "evicted").attempts == 1
    done = desk.until(job.id, "succeeded", within=90)
    assert done.attempts == 2
    assert done.backend_id == f"{job.backend_id}-2"
    assert texts(done.output) == ["start 2\n", "done\n"]


def test_a_job_that_may_not_be_evicted_fails_and_says_why(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    desk = kubernetes_desk
    job = desk.submit(*COUNTS_STARTS)
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    kubernetes.delete_pods()
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "preempted"
    assert texts(done.output) == ["start 1\n"]
    assert done.attempts == 1
