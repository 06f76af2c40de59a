"""Sweeps on this machine: the same slots, a throttle, and a dispatcher that is killed."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.sweeps.sheet import csv_of
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, RerunRequest, Resources
from jupyter_mlinfn.model.sweeps import PointFilter, Sweep, SweepCounts
from tests.jobs.backends.desk import MIB, Desk
from tests.jobs.engine.conftest import started_here
from tests.jobs.sweeps.looking import ended, points, submit, until

pytestmark = pytest.mark.slow

SCRIPT = """
import json, os, time, mlinfn
k = json.loads(os.environ["MLINFN_PARAM_k"])
with open("ran", "a") as ran:
    ran.write(f"{k} {os.environ['MLINFN_POINT']}\\n")
mlinfn.record(early=True, square=-1)
mlinfn.record(square=k * k)
end = time.monotonic() + 60
while not os.path.exists("go") and not os.path.exists(f"go{k}") and time.monotonic() < end:
    time.sleep(0.02)
assert k != 3 or os.path.exists("mended"), "three"
print("done", k)
"""


@pytest.fixture
def local(tmp_path: Path, own_folders: Path) -> Iterator[Desk]:
    """A desk whose jobs run here, two CPUs at once; all that it started is over at the end."""
    made = Desk(own_folders, "local")
    yield made
    (made.work / "go").touch()
    for record in made.bench.store.unfinished("local"):
        made.bench.actions.cancel(record.id)
    until = time.monotonic() + 30
    while (left := started_here(tmp_path)) and time.monotonic() < until:
        made.bench.reconciler.run_once()
        time.sleep(0.1)
    made.close()
    assert not left


def sweep(desk: Desk, **asked: Any) -> JobRecord:
    """A sweep of the script."""
    script = desk.work / "try.py"
    script.write_text(SCRIPT)
    small = Resources(cpus=1, memory=256 * MIB, time=300)
    request = JobRequest(source=str(script), resources=small, sweep=Sweep(**asked))
    return desk.bench.submission.submit(request)


def ran(desk: Desk) -> Counter[str]:
    """Which points' code began, and how often."""
    path = desk.work / "ran"
    return Counter(path.read_text().splitlines() if path.exists() else ())


def test_points_take_slots_up_to_the_throttle_and_their_results_fill_a_table(local: Desk) -> None:
    job = sweep(local, raw_axes={"k": "0..5"}, throttle=1)
    most = 0

    def over(counts: SweepCounts) -> bool:
        nonlocal most
        most = max(most, counts.starting + counts.running)
        if counts.running:
            (local.work / "go").touch()
        return counts.succeeded + counts.failed == 6

    until(local, job.id, over)
    assert most == 1
    done = local.look(job.id)
    assert done.state == "failed"
    assert done.reason is not None
    assert done.reason.text == "1 of 6 points failed."
    assert ran(local) == Counter(f"{k} {k}" for k in range(6))
    store = local.bench.store.points
    page = store.page(job.id, PointFilter(sort="square", order="desc"), limit=2)
    assert [point.values["square"] for point in page.points] == [25, 16]
    assert page.columns.parameters == ("k",)
    assert page.columns.values == ("early", "square")
    following = store.page(
        job.id, PointFilter(sort="square", order="desc"), limit=2, cursor=page.next
    )
    assert [point.index for point in following.points] == [3, 2]
    assert [point.index for point in store.page(job.id, PointFilter(state=("failed",))).points] == [
        3
    ]
    table = list(csv.DictReader(io.StringIO(csv_of(store.all(job.id), page.columns))))
    assert [row["square"] for row in table] == ["0", "1", "4", "9", "16", "25"]
    assert table[3]["state"] == "failed"
    assert "done 2" in local.bench.follower.read_log(job.id, point=2).text
    with pytest.raises(NotFound):
        local.bench.follower.read_log(job.id, point=6)
    (local.work / "mended").touch()
    again = local.bench.submission.rerun(job.id, RerunRequest(points="failed"))
    assert ended(local, again.id).state == "succeeded"
    assert points(local, again.id)[0].values["square"] == 9


def test_a_killed_dispatcher_starts_no_point_twice_and_forgets_none(local: Desk) -> None:
    (local.work / "mended").touch()
    job = sweep(local, raw_axes={"k": "0..7"})
    for k in range(8):
        until(local, job.id, lambda counts: counts.running + counts.starting >= 1)
        for pid, line in started_here(local.root).items():
            if b"local-dispatcher" in line:
                os.kill(pid, signal.SIGKILL)
        (local.work / f"go{k}").touch()
    assert ended(local, job.id).state == "succeeded"
    assert ran(local) == Counter(f"{k} {k}" for k in range(8))
    assert [point.attempts for point in points(local, job.id)] == [1] * 8


def test_a_sweep_and_one_point_are_cancelled(local: Desk) -> None:
    job = sweep(local, raw_axes={"k": "0..5"})
    until(local, job.id, lambda counts: counts.running == 2)
    local.bench.actions.cancel_points(job.id, [1, 4])
    record = until(local, job.id, lambda counts: counts.cancelled == 2)
    assert record.state == "running"
    assert {one.index for one in points(local, job.id) if one.state == "cancelled"} == {1, 4}
    local.bench.actions.cancel(job.id)
    done = ended(local, job.id)
    assert done.state == "cancelled"
    assert {one.state for one in points(local, job.id)} == {"cancelled"}
    assert set(ran(local)) <= {"0 0", "1 1", "2 2"}


def test_a_notebook_gets_the_parameters_of_its_point(local: Desk) -> None:
    glue = (
        "from IPython.display import display\n"
        "scrap = {'name': 'glued', 'data': [lr], 'encoder': 'json', 'version': 1}\n"
        "display({'application/scrapbook.scrap.json+json': scrap}, raw=True)"
    )
    job = submit(
        local, "import mlinfn; mlinfn.record(it=name)", glue, cell="name = 'x'\nlr = 0.1",
        rows=({"name": "__import__('os')", "lr": 0.5}, {"name": "'); #"}),
    )  # fmt: skip
    assert ended(local, job.id).state == "succeeded"
    assert [point.values["it"] for point in points(local, job.id)] == ["__import__('os')", "'); #"]
    assert [point.values["glued"] for point in points(local, job.id)] == [[0.5], [0.1]]
    first = points(local, job.id)[0]
    assert first.output is not None
    cells = json.loads(Path(first.output).read_text())["cells"]
    assert "lr = 0.5" in "".join(cells[1]["source"])
