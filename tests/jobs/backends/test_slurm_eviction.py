"""An evictable job gives its place to another one, for real, and runs again."""

from __future__ import annotations

import pytest

from tests.jobs.backends.desk import COUNTS_STARTS, Desk, texts
from tests.jobs.engine.training import TELLS, TRAINING, WAITS, undisturbed
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_an_evictable_job_is_evicted_and_its_second_attempt_succeeds(
    desk: Desk, cluster: Slurm
) -> None:
    job = desk.submit(*COUNTS_STARTS, queue="opportunistic", evictable=True)
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    code, told = cluster.call(
        "sbatch", "--parsable", "--export=NONE", "-N3", "--exclusive", "--time=5",
        "--output=/dev/null", f"--wrap={desk.held_in_shell()}",
    )  # fmt: skip
    assert code == 0, told
    desk.until_evicted_and_done(job.id)


def test_what_slurm_does_not_start_again_by_itself_is_handed_over_again(
    desk: Desk, cluster: Slurm
) -> None:
    """Told to end, the job is over for Slurm before that could queue it again."""
    job = desk.submit(*COUNTS_STARTS, evictable=True, file="study.py")
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    cluster.call("scancel", "--batch", "--signal=TERM", str(job.backend_id))
    assert desk.until(job.id, "evicted").attempts == 1
    done = desk.until(job.id, "succeeded")
    assert done.attempts == 2
    assert done.backend_id != job.backend_id
    assert texts(done.output) == ["start 2\ndone\n"]


def test_a_job_that_may_not_be_evicted_fails_and_says_why(desk: Desk, cluster: Slurm) -> None:
    job = desk.submit(*COUNTS_STARTS, queue="opportunistic", file="study.py")
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    cluster.call("scancel", "--batch", "--signal=TERM", str(job.backend_id))
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "preempted"
    assert texts(done.output) == ["start 1\n"]
    assert done.attempts == 1


def test_a_training_that_gives_way_to_interactive_work_ends_with_the_same_weights(
    desk: Desk, cluster: Slurm
) -> None:
    """Preempted for real in the middle of a cell, by a job that needs all machines at once."""
    job = desk.submit(TRAINING, WAITS, TELLS, queue="opportunistic", evictable=True)
    desk.until(job.id, "running")
    desk.until_recorded(job.id, 8)
    code, told = cluster.call(
        "sbatch", "--parsable", "--export=NONE", "-N3", "--exclusive", "--time=5",
        "--partition=normal", "--output=/dev/null", f"--wrap={desk.held_in_shell()}",
    )  # fmt: skip
    assert code == 0, told
    evicted = desk.until(job.id, "evicted")
    assert evicted.reason is not None
    assert evicted.reason.code == "preempted"
    desk.go()
    done = desk.until(job.id, "succeeded", within=120)
    assert (done.attempts, done.evictions) == (2, 1), desk.story(job.id)
    assert done.checkpoint_at is not None
    resumed, digest = texts(done.output)[-1].split()
    assert int(resumed) >= 8
    first, second = desk.bench.store.attempts(job.id)
    assert (first.state, second.state) == ("evicted", "succeeded")
    assert first.lost_seconds is not None
    assert first.lost_seconds < 10  # the hook saved after the cell was interrupted
    assert second.lost_seconds is None
    assert digest == undisturbed()
