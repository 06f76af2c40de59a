"""Submitting sweeps at a desk, waiting for points, and reading what their notebooks printed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.sweeps.handing import Arrays
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, RerunRequest
from jupyter_mlinfn.model.sweeps import Point, Sweep, SweepCounts
from tests.jobs.backends.desk import Desk, texts

FROM_ENVIRONMENT = "import json, os\nk = json.loads(os.environ['MLINFN_PARAM_k'])"
RECORD = "import mlinfn; mlinfn.record(square=k * k, name=f'point {k}')"


def submit(
    desk: Desk, *sources: str, cell: str = "k = 0", script: bool = False, **sweep: Any
) -> JobRecord:
    """A sweep of a notebook with these cells, or of a ``script`` that is told ``k``.

    Keys that are none of :class:`Sweep` go on.
    """
    own = {name: sweep.pop(name) for name in Sweep.model_fields if name in sweep}
    if script:
        sweep["file"], cell = "study.py", FROM_ENVIRONMENT
    return desk.submit(*sources, cell=cell, sweep=Sweep(**own), **sweep)


def until(
    desk: Desk, job: str, enough: Callable[[SweepCounts], bool], within: float = 90.0
) -> JobRecord:
    """Wait until the counts are ``enough``; counts always are those of the points."""
    end = time.monotonic() + within
    while True:
        record = desk.look(job)
        assert record.sweep is not None
        if enough(record.sweep):
            return record
        assert record.state not in ENDED, (record.reason, stories(desk, job))
        assert time.monotonic() < end, (record.sweep, stories(desk, job))
        time.sleep(0.2)


def ended(desk: Desk, job: str, within: float = 90.0) -> JobRecord:
    """Wait for the end of all points."""

    def over(counts: SweepCounts) -> bool:
        return counts.succeeded + counts.failed + counts.cancelled == counts.points

    return until(desk, job, over, within)


def points(desk: Desk, job: str) -> list[Point]:
    """All points."""
    return desk.bench.store.points.all(job)


def stories(desk: Desk, job: str) -> str:
    """What the folders of the points that did not succeed tell, for a failed test."""
    folder = desk.bench.folders.job(job)
    told = [folder / "arrays.json", folder / "slurm.log"]
    told += sorted(folder.glob("points/*/attempts/*/*.json"))[:40]
    told += sorted(folder.glob("points/*/attempts/*/*.log"))[:10]
    texts = [f"{one.index} {one.state} {one.reason}" for one in points(desk, job)[:30]]
    for path in told:
        if path.is_file() and path.name != "connection.json":
            text = path.read_text(errors="replace")[-800:]
            texts.append(f"--- {path.relative_to(folder)}\n{text}")
    return "\n".join(texts)


def arrays(desk: Desk, job: str) -> Arrays:
    """What is noted of the arrays of a sweep."""
    return Arrays.model_validate_json((desk.bench.folders.job(job) / "arrays.json").read_bytes())


def starts(desk: Desk, job: str) -> dict[int, int]:
    """How often the code of each point began."""
    folder = desk.bench.folders.job(job) / "points"
    begun = [path.parts[-4] for path in folder.glob("*/attempts/*/begun")]
    return {int(number): begun.count(number) for number in set(begun)}


def submit_failing(desk: Desk, many: int, bad: int, **more: Any) -> tuple[JobRecord, Path]:
    """A sweep of which the point ``bad`` fails until the file that is given too is there."""
    mended = desk.work / "mended"
    fails = f"import os\nassert k != {bad} or os.path.exists({str(mended)!r})"
    axes = {"k": f"0..{many - 1}"}
    return submit(desk, RECORD, fails, "print(k)", raw_axes=axes, **more), mended


def check_failing(desk: Desk, job: str, mended: Path, many: int, bad: int) -> None:
    """Such a sweep ends with one point failed, all others whole; the rerun of it succeeds."""
    done = ended(desk, job)
    assert done.state == "failed"
    assert done.reason is not None
    assert done.reason.code == "points-failed"
    assert done.reason.text == f"1 of {many} points failed."
    for point in points(desk, job):
        assert point.values == {"square": point.index**2, "name": f"point {point.index}"}
        assert point.parameters == {"k": point.index}
        assert point.attempts == 1
        if point.index != bad:
            assert texts(point.output) == [f"{point.index}\n"]
    failed = points(desk, job)[bad]
    assert failed.reason is not None
    assert "AssertionError" in failed.reason.text
    folders = sorted(path.name for path in Path(done.output_folder).iterdir())
    assert folders == sorted(map(str, range(many)))
    mended.touch()
    again = desk.bench.submission.rerun(job, RerunRequest(points="failed"))
    assert again.sweep is not None
    assert again.sweep.points == 1
    assert ended(desk, again.id).state == "succeeded"
    assert points(desk, again.id)[0].parameters == {"k": bad}


def most_at_once(desk: Desk, job: str, many: int) -> int:
    """How many points were seen to run at once; each of ``many`` ran once and succeeded."""
    most = 0

    def over(counts: SweepCounts) -> bool:
        nonlocal most
        most = max(most, counts.starting + counts.running)
        return counts.succeeded == many

    until(desk, job, over)
    assert starts(desk, job) == dict.fromkeys(range(many), 1)
    return most


def cancel_in_the_middle(desk: Desk, many: int, running: int, **more: Any) -> str:
    """Cancel a sweep when so many points run: none is left; the job's id."""
    axes, cell = {"k": f"0..{many - 1}"}, "import time; time.sleep(300)"
    job = submit(desk, cell, raw_axes=axes, script=True, **more)
    until(desk, job.id, lambda counts: counts.running >= running)
    desk.bench.actions.cancel(job.id)
    assert ended(desk, job.id).state == "cancelled"
    assert {point.state for point in points(desk, job.id)} == {"cancelled"}
    return job.id


def cancel_one(desk: Desk, **more: Any) -> None:
    """Cancel one point of three: the others go on, and the sweep says so."""
    cell = "import time; time.sleep(3 + 300 * (k == 1))"
    job = submit(desk, cell, raw_axes={"k": "0..2"}, script=True, **more)
    until(desk, job.id, lambda counts: counts.running == 3)
    desk.bench.actions.cancel_points(job.id, [1])
    done = ended(desk, job.id)
    states = [point.state for point in points(desk, job.id)]
    assert states == ["succeeded", "cancelled", "succeeded"]
    assert done.state == "cancelled"
    assert done.reason is not None
    assert "1 of 3 points" in done.reason.text
