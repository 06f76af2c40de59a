"""A real HTCondor whose machines see none of the person's folders: sent, followed, brought home."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.htcondor import calls
from jupyter_mlinfn.jobs.backends.htcondor.away import FOLDER, Away
from jupyter_mlinfn.jobs.releasing import is_held
from jupyter_mlinfn.model.jobs import RerunRequest
from jupyter_mlinfn.model.releasing import ReleaseRequest
from tests.jobs.backends.desk import MIB, Desk, texts
from tests.jobs.sweeps import looking as sweeps
from tests.systems.condor import Condor

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(400)]

SETTINGS = "c.Mlinfn.htcondor_poll_seconds = 0.5\nc.Mlinfn.htcondor_options = {'transfer': 'yes'}\n"
LOOK = "from pathlib import Path\nimport os, time\nprint('sees', Path({root!r}).exists())"
KEEP = (
    "kept = Path(os.environ['MLINFN_CHECKPOINTS']) / 'step'\n"
    "before = kept.read_text() if kept.exists() else 'the start'\n"
    "kept.parent.mkdir(parents=True, exist_ok=True)\n"
    "kept.write_text('step 7')\n"
    "print('from', before)"
)
WAIT = "time.sleep(300 if before == 'the start' else 0)"
WRITE = "Path('result.txt').write_text('made of ' + before)"


@pytest.fixture
def far_desk(pool: Condor, own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk in a folder that is not in the pool's own root."""
    for name, value in pool.environment.items():
        monkeypatch.setenv(name, value)
    root = Path(tempfile.mkdtemp(prefix="mlinfn-far-", dir="/var/tmp"))
    made = Desk(root / "desk", "htcondor", SETTINGS)
    yield made
    made.close()
    pool.clear()
    shutil.rmtree(root)


def known_there(pool: Condor, job: str) -> str:
    return pool.call("condor_q", "-all", "-const", f'MLInfnJobId == "{job}"', "-af", "JobStatus")[1]


def until(desk: Desk, what: str, found: object, within: float = 90.0) -> None:
    """Look until ``found()`` is true."""
    ends = time.monotonic() + within
    while not found():  # type: ignore[operator]
        assert time.monotonic() < ends, what
        desk.bench.reconciler.run_once()
        time.sleep(0.2)


def test_a_job_is_followed_evicted_resumed_and_brought_home_by_a_pool_that_sees_nothing(
    far_desk: Desk, pool: Condor
) -> None:
    desk = far_desk
    assert not desk.bench.backends["htcondor"].shares_folder
    look = LOOK.format(root=str(desk.root))
    job = desk.submit(look, KEEP, WAIT, WRITE, evictable=True, outputs=("result.txt",))
    desk.until(job.id, "running")
    until(desk, "the partial notebook", lambda: desk.partial(job.id) == [
        "sees False\n", "from the start\n"])  # fmt: skip
    seen = desk.look(job.id)
    assert seen.progress is not None
    assert seen.progress.cells_done >= 2
    assert desk.bench.follower.read_log(job.id, start=0, limit=4096).text
    pool.call("condor_vacate_job", str(job.backend_id))
    done = desk.until(job.id, "succeeded", within=120)
    assert (done.attempts, done.evictions) == (2, 1)
    assert done.checkpoint_at is not None
    assert texts(done.output) == ["sees False\n", "from step 7\n"]
    assert (Path(done.output_folder) / "result.txt").read_text() == "made of step 7"
    assert str(done.output).startswith(str(desk.work))
    desk.bench.reconciler.run_once()
    assert not (desk.bench.folders.job(job.id) / FOLDER).exists()
    until(desk, "the queue", lambda: known_there(pool, job.id).split() in ([], ["3"]))


def test_a_running_job_that_is_cancelled_brings_home_what_it_has(
    far_desk: Desk, pool: Condor
) -> None:
    desk = far_desk
    job = desk.submit("print('so far')", "import time; time.sleep(300)")
    desk.until(job.id, "running")
    until(desk, "the partial notebook", lambda: desk.partial(job.id) == ["so far\n"])
    desk.bench.actions.cancel(job.id)
    done = desk.until(job.id, "cancelled", within=120)
    assert done.reason is not None
    assert done.reason.code == "cancelled-by-user"
    assert (desk.bench.folders.attempt(job.id, 1) / "end.json").exists()
    assert texts(done.output) == ["so far\n"]
    assert str(done.output).startswith(str(desk.work))
    waiting = desk.submit("print(1)", cpus=6, file="waits.ipynb")
    desk.bench.actions.cancel(waiting.id)
    desk.until(waiting.id, "cancelled")


def test_whoever_is_killed_on_the_way_home_or_there_nothing_is_lost_nor_twice(
    far_desk: Desk, pool: Condor, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = far_desk
    # nobody hears HTCondor's answer
    submit = calls.Calls.send

    def dies(self: calls.Calls, given: dict[str, str], size: int) -> str:
        number = submit(self, {**given, "requirements": "MY.RequestMemory > 1000"}, size)
        raise calls.silent(f"killed after {number}")

    with monkeypatch.context() as changed:
        changed.setattr(calls.Calls, "send", dies)
        job = desk.submit("print('once')", "open('out.txt', 'w').write('x')", outputs=("out.txt",))
    assert job.backend_id is None
    assert pool.known(job.id) == 1
    until(desk, "its number", lambda: desk.bench.store.get(job.id).backend_id is not None)
    assert pool.known(job.id) == 1

    # what it asks for is changed although its folder is there already
    pool.call("condor_hold", str(desk.bench.store.get(job.id).backend_id))
    until(desk, "the hold", lambda: is_held(desk.bench.store.get(job.id)))
    desk.bench.actions.release(job.id, ReleaseRequest(memory=1024 * MIB))

    # we die when everything was fetched and nothing taken
    bring, died = Away._bring, []

    def once(self: Away, which: str, cluster: int, *, removed: bool) -> bool:
        if not died:
            self._fetch(str(cluster))
            died.append(cluster)
            raise OSError("killed")
        return bring(self, which, cluster, removed=removed)

    monkeypatch.setattr(Away, "_bring", once)
    done = desk.until(job.id, "succeeded", within=120)
    assert died
    assert done.attempts == 1
    assert texts(done.output) == ["once\n"]
    assert (Path(done.output_folder) / "out.txt").read_text() == "x"
    claim = (desk.bench.folders.attempt(job.id, 1) / "claim.json").read_text()
    assert str(1024 * MIB) in claim


def test_a_sweep_goes_there_in_one_parcel_and_its_points_come_home(
    far_desk: Desk, pool: Condor, tmp_path: Path
) -> None:
    desk, mended = far_desk, tmp_path / "mended"
    fails = f"import os\nassert k != 1 or os.path.exists({str(mended)!r})"
    waits = "import time; time.sleep(600 * (k == 3))"
    cells = (sweeps.RECORD, fails, "print(k)", waits)
    job = sweeps.submit(desk, *cells, raw_axes={"k": "0..3"})
    sweeps.until(desk, job.id, lambda counts: counts.failed == 1 and counts.succeeded == 2)
    desk.until_seen(job.id, lambda: "3\n" in desk.partial(job.id, point=3))
    # the carrier, and the point that runs
    until(desk, "the queue", lambda: len(known_there(pool, job.id).split()) == 2)
    desk.bench.actions.cancel_points(job.id, [3])
    done = sweeps.ended(desk, job.id, within=180)  # it may save what it has for two minutes
    told = sweeps.points(desk, job.id)
    assert [one.state for one in told] == ["succeeded", "failed", "succeeded", "cancelled"]
    assert [one.values["square"] for one in told] == [0, 1, 4, 9]
    assert [texts(told[k].output) for k in (0, 2, 3)] == [["0\n"], ["2\n"], ["3\n"]]
    assert sorted(path.name for path in Path(done.output_folder).iterdir()) == list("0123")
    until(desk, "the queue", lambda: known_there(pool, job.id).split() in ([], ["3"]))
    mended.touch()
    again = desk.bench.submission.rerun(job.id, RerunRequest(points=[1]))
    assert sweeps.ended(desk, again.id).state == "succeeded"
    assert sweeps.points(desk, again.id)[0].parameters == {"k": 1}
