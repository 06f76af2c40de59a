"""On a real Slurm: killed before it could save, told early enough, and seen from inside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.model.jobs import Progress
from tests.jobs.backends.desk import Desk, texts
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

SAVES_AS_IT_GOES = """
import time, mlinfn
start = mlinfn.load(default=0)
mlinfn.on_eviction(lambda: time.sleep(1000))  # longer than any system waits
for number in range(start, 40):
    mlinfn.save(number + 1)
    mlinfn.record(number=number)
    time.sleep(0 if start else 300 if number == 20 else 0.5)
print(start > 0, number + 1)
"""


@pytest.fixture
def told_early(
    cluster: Slurm, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk whose site says that Slurm gives seven seconds (it gives ten)."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    options = "c.Mlinfn.slurm_options = {'grace': '7'}\nc.Mlinfn.slurm_poll_seconds = 0.5\n"
    made = Desk(own_folders, "slurm", options)
    yield made
    made.close()
    cluster.clear()


def preempted(desk: Desk, cluster: Slurm) -> str:
    """A job that is evicted while it runs, as far as its success; its id."""
    job = desk.submit(SAVES_AS_IT_GOES, queue="opportunistic", evictable=True)
    desk.until(job.id, "running")
    desk.until_recorded(job.id, 4)
    code, told = cluster.call(
        "sbatch", "--parsable", "--export=NONE", "-N3", "--exclusive", "--time=5",
        "--partition=normal", "--output=/dev/null", "--wrap=sleep 1",
    )  # fmt: skip
    assert code == 0, told
    done = desk.until(job.id, "succeeded", within=150)
    assert (done.attempts, done.evictions) == (2, 1), desk.story(job.id)
    assert texts(done.output) == ["True 40\n"]
    return job.id


def test_killed_while_its_hook_hangs_it_goes_on_from_what_it_had_saved(
    desk: Desk, cluster: Slurm
) -> None:
    job = preempted(desk, cluster)
    folder = desk.bench.folders.attempt(job, 1)
    assert not (folder / "end.json").exists()  # Slurm's SIGKILL came before any word
    first, second = desk.bench.actions.details(job).attempts
    assert (first.state, second.state) == ("evicted", "succeeded")
    assert first.lost_seconds is not None
    assert first.ended_at is not None


def test_told_early_enough_it_ends_by_its_own_word(told_early: Desk, cluster: Slurm) -> None:
    job = preempted(told_early, cluster)
    folder = told_early.bench.folders.attempt(job, 1)
    assert (folder / "end.json").exists()
    first, _second = told_early.bench.store.attempts(job)
    assert first.reason is not None
    assert first.reason.code == "preempted"
    assert first.lost_seconds is not None


RECORDED = ({"loss": 0.5}, 1)


def busy(seen: Progress | None) -> bool:
    """Whether it is seen to compute."""
    cpus = seen.using.cpus if seen and seen.using else None
    return cpus is not None and cpus > 0.1


def test_a_job_on_slurm_is_seen_from_inside_as_on_this_machine(desk: Desk) -> None:
    job = desk.submit(
        f"import os, time\nwhile not os.path.exists({str(desk.work / 'seen')!r}): pass",
        f"import mlinfn\nmlinfn.record(loss=0.5)\n{desk.held()}",
    )
    desk.until(job.id, "running")
    seen, until = [], time.monotonic() + 90
    while not seen or seen[-1] is None or (seen[-1].values, seen[-1].cells_done) != RECORDED:
        assert time.monotonic() < until, desk.story(job.id)
        seen.append(desk.look(job.id).progress)
        if busy(seen[-1]):
            desk.go("seen")
        time.sleep(0.1)
    desk.go()
    told = [one.using for one in seen if one and one.using and one.using.cpus is not None]
    assert any(map(busy, seen))
    assert all(using.memory for using in told)
    assert {one.current_cell for one in seen if one} >= {1, 2}
    assert desk.until(job.id, "succeeded").usage.peak_memory


LOSES_ITS_MACHINE = """
import time, mlinfn
start = mlinfn.load(default=0)
mlinfn.save(start + 1)
mlinfn.record(start=start)
time.sleep(0 if start else 300)
print("start", start + 1)
"""


def test_a_job_whose_machine_is_lost_runs_again_as_often_as_was_said(
    desk: Desk, cluster: Slurm
) -> None:
    job = desk.submit(LOSES_ITS_MACHINE, retries=1, file="study.py")
    desk.until(job.id, "running")
    desk.until_recorded(job.id, 1)
    node = desk.look(job.id)
    host = cluster.call("squeue", "-h", "-j", str(node.backend_id), "-o", "%N")[1].strip()
    down = ("scontrol", "update", f"nodename={host}")
    assert cluster.call(*down, "state=down", "reason=test")[0] == 0
    try:
        done = desk.until(job.id, "succeeded", within=150)
    finally:
        cluster.call(*down, "state=resume")
    assert (done.attempts, done.evictions) == (2, 0)
    assert texts(done.output) == ["start 2\n"]
