"""An evictable job gives its place to another one, for real, and runs again."""

from __future__ import annotations

import pytest

from tests.jobs.backends.desk import Desk, texts
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

CELLS = (
    "from pathlib import Path\n"
    "count = Path('count.txt')\n"
    "count.write_text(count.read_text() + 'x' if count.exists() else 'x')\n"
    "print('start', len(count.read_text()))",
    "import time\ntime.sleep(300 if len(count.read_text()) == 1 else 0)",
    "print('done')",
)


def test_an_evictable_job_is_evicted_and_its_second_attempt_succeeds(
    desk: Desk, cluster: Slurm
) -> None:
    job = desk.submit(*CELLS, queue="opportunistic", evictable=True)
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    code, told = cluster.call(
        "sbatch", "--parsable", "--export=NONE", "-N3", "--exclusive", "--time=5",
        "--output=/dev/null", "--wrap=sleep 2",
    )  # fmt: skip
    assert code == 0, told
    evicted = desk.until(job.id, "evicted")
    assert evicted.reason is not None
    assert evicted.reason.code == "preempted"
    done = desk.until(job.id, "succeeded", within=90)
    assert done.attempts == 2
    assert done.backend_id == job.backend_id
    assert texts(done.output) == ["start 2\n", "done\n"]
    first, second = desk.bench.store.attempts(job.id)
    assert (first.number, first.state, second.state) == (1, "evicted", "succeeded")
    assert desk.partial(job.id, 1) == ["start 1\n"]


def test_what_slurm_does_not_start_again_by_itself_is_handed_over_again(
    desk: Desk, cluster: Slurm
) -> None:
    """Told to end, the job is over for Slurm before that could queue it again."""
    job = desk.submit(*CELLS, evictable=True)
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    cluster.call("scancel", "--batch", "--signal=TERM", str(job.backend_id))
    assert desk.until(job.id, "evicted").attempts == 1
    done = desk.until(job.id, "succeeded")
    assert done.attempts == 2
    assert done.backend_id != job.backend_id
    assert texts(done.output) == ["start 2\n", "done\n"]


def test_a_job_that_may_not_be_evicted_fails_and_says_why(desk: Desk, cluster: Slurm) -> None:
    job = desk.submit(*CELLS, queue="opportunistic")
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["start 1\n"])
    cluster.call("scancel", "--batch", "--signal=TERM", str(job.backend_id))
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "preempted"
    assert texts(done.output) == ["start 1\n"]
    assert done.attempts == 1
