"""Held jobs of a real HTCondor that are changed and let go."""

from __future__ import annotations

import json

import pytest

from jupyter_mlinfn.jobs import amending
from jupyter_mlinfn.jobs.backends.htcondor import describing
from jupyter_mlinfn.jobs.backends.htcondor.backend import HTCondorBackend
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobRecord, RerunRequest
from jupyter_mlinfn.model.releasing import Asking, ReleaseRequest
from tests.jobs.backends.desk import MIB, Desk, texts
from tests.systems.condor import Condor

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(400)]

GIB = 2**30
MORE = ReleaseRequest(memory=GIB, time=600, cpus=2, disk=GIB)
ASKED = ("RequestMemory", "RequestCpus", "RequestDisk", "AllowedJobDuration")


def asked_there(pool: Condor, job: JobRecord) -> list[int]:
    """What HTCondor itself says that the job asks for."""
    said = pool.call("condor_q", "-all", str(job.backend_id), "-af", *ASKED)[1]
    return [round(float(word)) for word in said.split()]


@pytest.fixture
def on_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are submitted on hold: nothing of them runs before they are let go."""
    monkeypatch.setattr(describing, "_charged", lambda *_: {"hold": "true"})


def test_a_held_job_asks_for_something_else_and_both_are_told(
    condor_desk: Desk, pool: Condor, on_hold: None
) -> None:
    desk, actions = condor_desk, condor_desk.bench.actions
    job = desk.submit("print('released')", file="study.py")
    desk.until_held(job.id)
    offer = actions.details(job.id).release
    assert offer is not None
    assert offer.amends == ("memory", "time", "cpus", "disk")
    assert offer.asks == Asking(cpus=1, memory=512 * MIB, time=300)

    with pytest.raises(Refused, match="6 CPUs, not 7") as refused:
        actions.release(job.id, ReleaseRequest(cpus=7))
    assert refused.value.problems[0].field == "cpus"
    assert actions.details(job.id).amendments == ()

    seen = actions.release(job.id, MORE)
    assert (seen.state, seen.resources.memory, seen.resources.time) == ("queued", GIB, 600)
    assert seen.reason is not None
    assert seen.reason.code != "held"
    assert asked_there(pool, job) == [1024, 2, 2**20, 690]
    done = desk.until(job.id, "succeeded")
    assert texts(done.output) == ["released\n"]
    told = actions.details(job.id)
    assert told.spec.resources.memory == 512 * MIB
    (change,) = told.amendments
    assert (change.before.memory, change.now.memory, change.now.disk) == (512 * MIB, GIB, GIB)
    assert change.why is not None
    assert "submitted on hold" in change.why.text
    claim = json.loads((desk.bench.folders.attempt(job.id, 1) / "claim.json").read_bytes())
    assert (claim["memory"], claim["cpus"], claim["time"]) == (GIB, 2, 600)
    # an index that is made anew tells the same, and so does another run of the job
    rebuilt = JobStore(desk.root / "rebuilt.sqlite", desk.bench.folders)
    assert rebuilt.get(job.id).resources == done.resources
    rebuilt.close()
    with pytest.raises(Conflict, match="not held"):
        actions.release(job.id)
    again = desk.bench.submission.rerun(job.id, RerunRequest())
    assert (again.resources.memory, again.resources.time) == (GIB, 600)


def test_a_job_that_used_too_much_goes_on_from_its_checkpoint_with_more(
    condor_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule holds it, as a site's does: its program is killed, and leaves no word on why."""
    rule = {
        "periodic_hold": "JobStatus == 2 && ResidentSetSize > 350 * RequestMemory",
        "periodic_hold_reason": '"memory usage exceeded what this site allows"',
    }
    monkeypatch.setattr(describing, "_charged", lambda *_: rule)
    desk = condor_desk
    job = desk.submit(
        "import os\nfrom pathlib import Path\n"
        "kept = Path(os.environ['MLINFN_CHECKPOINTS']) / 'step'\n"
        "before = kept.read_text() if kept.exists() else 'the start'\n"
        "print('from', before)\n"
        "kept.parent.mkdir(parents=True, exist_ok=True)\n"
        "kept.write_text('step 7')",
        "import time\n"
        "much = before == 'the start' and b'x' * (900 << 20)\n"
        "time.sleep(300 if much else 0)",
        memory=2 * GIB,
        evictable=True,
        file="study.py",
    )
    seen = desk.until_held(job.id)
    assert seen.state == "evicted"
    assert seen.reason is not None
    assert "used more memory than it asked for" in seen.reason.text
    assert f"mlinfn job release {job.id} --memory" in seen.reason.text
    offer = desk.bench.actions.details(job.id).release
    assert offer is not None
    assert offer.cause == "memory"
    assert offer.used is not None
    assert offer.used > 700 * MIB
    desk.bench.actions.release(job.id, ReleaseRequest(memory=6 * GIB))
    done = desk.until(job.id, "succeeded", within=90)
    assert (done.attempts, done.resources.memory) == (2, 6 * GIB)
    assert texts(done.output) == ["from step 7\n"]


def test_silence_refusal_and_a_kill_in_between_lose_no_word(
    condor_desk: Desk, pool: Condor, on_hold: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, actions = condor_desk, condor_desk.bench.actions
    job = desk.submit("print('once')", file="study.py")
    desk.until_held(job.id)
    folder = desk.bench.folders.job(job.id)

    def no(*_: object) -> bool:
        raise Refused("not so much", code="refused-by-system")

    with monkeypatch.context() as changed:
        changed.setattr(HTCondorBackend, "amend", no)
        with pytest.raises(Refused):
            actions.release(job.id, MORE)
    assert amending.read(folder) == ()
    assert desk.bench.store.get(job.id).resources.memory == 512 * MIB

    def dies(*_: object) -> bool:
        raise Unavailable("killed after the word, before the call", code="htcondor-silent")

    with monkeypatch.context() as changed:
        changed.setattr(HTCondorBackend, "amend", dies)
        with pytest.raises(MlinfnError):
            actions.release(job.id, MORE)
    assert asked_there(pool, job)[0] == 512
    seen = desk.until_held(job.id)
    assert seen.resources.memory == GIB
    actions.release(job.id)  # as it stands in the job's folder
    assert asked_there(pool, job) == [1024, 2, 2**20, 690]
    assert len(amending.read(folder)) == 1
    assert texts(desk.until(job.id, "succeeded").output) == ["once\n"]

    other = desk.submit("print('other')", file="other.py")
    desk.until_held(other.id)
    pool.call("condor_release", str(other.backend_id))
    with pytest.raises(Conflict, match="not held"):  # somebody was faster
        actions.release(other.id, MORE)
    assert amending.read(desk.bench.folders.job(other.id)) == ()
    assert desk.bench.store.get(other.id).resources.memory == 512 * MIB
