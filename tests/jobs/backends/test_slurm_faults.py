"""Slurm that lies, sleeps, forgets or is killed: nothing is submitted twice or ends wrongly."""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from jupyter_mlinfn.jobs.backends.handing import Handing, Note
from jupyter_mlinfn.jobs.backends.slurm import calls
from jupyter_mlinfn.jobs.backends.slurm.backend import SlurmBackend
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JobRecord
from tests.faults.batch import sample
from tests.faults.systems import OnSlurm
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.backends.silence import Clock, Silence, until_known
from tests.jobs.sweeps.looking import submit as submit_sweep
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

SHORT = {"absent": 1.0, "not-again": 1.0, "no-word": 1.0}

SILENCES = {
    "fails": "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2\nexit 1",
    "fails and says nothing": "exit 1",
    "sleeps": "exec sleep 60",
    "garbage": "head -c 3000 /dev/urandom",
    "half a line": "printf 'mlinfn\\0371\\037RUN'",
    "another program": "echo 'JOBID PARTITION NAME'",
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the path, empty: what a test puts there replaces Slurm's."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def replace(folder: Path, program: str, body: str) -> None:
    path = folder / program
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def known(cluster: Slurm, job: str) -> int:
    """How many jobs Slurm knows under this one's name, ended ones too."""
    told = cluster.call("squeue", "-h", "--states=all", "-o", "%j")[1].split()
    return told.count(f"mlinfn-{job}")


def forgotten(desk: Desk, cluster: Slurm) -> tuple[JobRecord, Path]:
    """A waiting job that Slurm has lost in a crash, and the state it went back to."""
    saved = cluster.save_state()
    job = desk.submit("print(1)", queue="closed")
    cluster.crash_to(saved)
    return job, saved


def assert_unknown(desk: Desk, job: str, state: str) -> None:
    """For three seconds the job stays in ``state``, and then it is said that nobody knows."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        seen = desk.look(job)
        assert seen.state == state
        time.sleep(0.2)
    assert seen.unknown_since is not None


def test_silence_is_unknown_and_never_an_end(
    desk: Desk, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each kind, one after the other; Slurm's own word is heard again in between."""
    monkeypatch.setattr(SlurmBackend, "patience", SHORT)
    job = desk.submit(desk.held(), "print('whole')", file="study.py")
    desk.until(job.id, "running")
    for silence in SILENCES.values():
        monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 0.5)
        replace(programs, "squeue", silence)
        time.sleep(0.6)
        assert_unknown(desk, job.id, "running")
        (programs / "squeue").unlink()
        monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 15.0)
        desk.bench.reconciler._not_before.clear()  # asked at once, not after a pause
        desk.until_seen(job.id, lambda: desk.bench.store.get(job.id).unknown_since is None)
    desk.go()
    done = desk.until(job.id, "succeeded")
    assert done.unknown_since is None
    assert texts(done.output) == ["whole\n"]


def test_two_processes_that_hand_over_one_job_make_one(desk: Desk, cluster: Slurm) -> None:
    job = desk.submit("print(1)", queue="closed")
    spec = desk.bench.folders.read_spec(job.id)
    assert desk.another().backends["slurm"].submit(spec) == job.backend_id
    # killed after sbatch had answered and before that was noted
    folder = desk.bench.folders.job(job.id)
    (folder / "slurm.json").write_text(Note(tried_at=time.time()).model_dump_json())
    assert desk.another().backends["slurm"].submit(spec) == job.backend_id
    assert known(cluster, job.id) == 1


def test_a_timeout_after_slurm_took_the_job_makes_one_job(
    desk: Desk, cluster: Slurm, programs: Path
) -> None:
    real = shutil.which("sbatch")
    assert real is not None
    said = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    replace(programs, "sbatch", f"'{real}' \"$@\" >/dev/null\necho '{said}' >&2\nexit 1")
    job = desk.submit("print(1)", queue="closed")
    assert job.backend_id is None
    assert job.state == "queued"
    spec = desk.bench.folders.read_spec(job.id)
    number = desk.bench.backends["slurm"].submit(spec)
    assert number.isdecimal()
    assert known(cluster, job.id) == 1


def test_what_may_still_arrive_is_not_submitted_again(
    desk: Desk, cluster: Slurm, programs: Path
) -> None:
    replace(programs, "sbatch", "exit 1")
    job = desk.submit("print(1)", queue="closed")
    (programs / "sbatch").unlink()
    spec = desk.bench.folders.read_spec(job.id)
    with pytest.raises(Unavailable):
        desk.bench.backends["slurm"].submit(spec)
    assert known(cluster, job.id) == 0
    folder = desk.bench.folders.job(job.id)
    (folder / "slurm.json").write_text(Note(tried_at=time.time() - 60).model_dump_json())
    assert desk.bench.backends["slurm"].submit(spec).isdecimal()


def test_what_slurm_refuses_for_good_fails_with_its_words(desk: Desk, programs: Path) -> None:
    said = "sbatch: error: Batch job submission failed: Invalid account or account/partition"
    replace(programs, "sbatch", f"echo '{said}' >&2\nexit 1")
    job = desk.submit("print(1)")
    assert job.state == "failed"
    assert job.reason is not None
    assert job.reason.code == "refused-by-system"
    assert "Invalid account" in job.reason.text


def test_a_job_that_slurm_forgot_is_handed_over_once_more_and_only_once(
    desk: Desk, cluster: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """slurmctld is killed with what it had saved before the job: as after a crash in time."""
    monkeypatch.setattr(SlurmBackend, "patience", SHORT)
    job, saved = forgotten(desk, cluster)
    assert known(cluster, job.id) == 0
    until = time.monotonic() + 30
    folder = desk.bench.folders.job(job.id)
    while not known(cluster, job.id) and time.monotonic() < until:
        assert desk.look(job.id).state == "queued"
        time.sleep(0.2)
    assert known(cluster, job.id) == 1
    assert Handing("slurm", "Slurm").note(folder).again == 1
    cluster.crash_to(saved)
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "lost"
    assert known(cluster, job.id) == 0
    assert not cast("SlurmBackend", desk.bench.backends["slurm"])._again


def test_a_cancelled_job_that_slurm_forgot_is_not_handed_over_again(
    desk: Desk, cluster: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SlurmBackend, "patience", SHORT)
    job, _saved = forgotten(desk, cluster)
    desk.bench.actions.cancel(job.id)
    assert desk.until(job.id, "cancelled").attempts == 0
    assert known(cluster, job.id) == 0


def test_what_only_the_accounting_knows_is_asked_there(
    desk: Desk, cluster: Slurm, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``sacct`` is a program that tells what a real one with slurmdbd told."""
    monkeypatch.setattr(SlurmBackend, "patience", SHORT)
    job, _saved = forgotten(desk, cluster)
    replace(programs, "sacct", "echo 'sacct: error: slurmdbd: Connection refused' >&2\nexit 1")
    assert_unknown(desk, job.id, "queued")
    told = ("%s", "NODE_FAIL", "n1", "closed", "mlinfn-%s", "x")
    line = "\\037".join(told) % (job.backend_id, job.id)
    replace(programs, "sacct", f"printf '{line}\\n'")
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "node-lost"


def test_a_killed_controller_ends_no_job(desk: Desk, cluster: Slurm) -> None:
    job = desk.submit(desk.held(), "print('whole')", file="study.py")
    desk.until(job.id, "running")
    time.sleep(5)  # a job younger than that is started twice by Slurm itself, and held
    cluster.kill_controller()
    assert desk.look(job.id).state == "running"
    cluster.start_controller()
    cluster.until_answers()
    desk.go()
    assert texts(desk.until(job.id, "succeeded").output) == ["whole\n"]


COUNTS = """exec 9>{told}/busy
flock -n 9 || echo two at once >> {told}/asked
echo asked >> {told}/asked
"""


def test_half_an_hour_of_silence_ends_no_job_wrongly(
    desk: Desk, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is put forward; what Slurm's program does is real: absent, failing, asleep for
    60 s, garbage, half a line."""
    go, asked = programs / "go", programs / "asked"
    asked.touch()
    runs = desk.submit(
        f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.1)",
        "print('whole')",
        file="study.py",
    )
    waits = desk.submit("print(1)", queue="closed", file="waits.ipynb")
    sweep = submit_sweep(desk, "print(k)", raw_axes={"k": "0..2"}, queue="closed")
    desk.until(runs.id, "running")
    until_known(desk, sweep.id)
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 0.3)

    def body(silence: str) -> Callable[[], None]:
        told = COUNTS.format(told=programs) + SILENCES[silence]
        return lambda: replace(programs, "squeue", told)

    def absent() -> None:
        (programs / "squeue").unlink()
        replace(programs, "squeue", f"echo asked >> {asked}\nexit 127")

    kinds = [body(name) for name in ("fails", "sleeps", "garbage", "half a line")]
    silence = Silence(desk, Clock(monkeypatch), lambda: asked.read_text().count("asked"))
    states = {runs.id: "running", waits.id: "queued", sweep.id: "queued"}
    silence.last(states, [*kinds, absent])
    silence.assert_backs_off()
    assert "two at once" not in asked.read_text()
    (programs / "squeue").unlink()
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 15.0)
    silence.until_broken(list(states))
    go.touch()
    assert texts(desk.until(runs.id, "succeeded").output) == ["whole\n"]


@pytest.mark.fault
@pytest.mark.timeout(400)
def test_kill_9_at_random_points_of_submit_query_and_cancel(
    cluster: Slurm, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample; ``make faults N=1000 ON=slurm`` runs the whole."""
    for name, value in {**cluster.environment, "JUPYTER_NO_CONFIG": ""}.items():
        monkeypatch.setenv(name, value)
    sample("slurm", OnSlurm(cluster), own_folders)
    cluster.clear()
