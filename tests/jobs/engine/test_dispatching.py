"""The queue of one machine: the local back-end and the dispatcher over a real index."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import dispatcher
from jupyter_mlinfn.jobs.attempt import Slot, read_json
from jupyter_mlinfn.jobs.backends import starting
from jupyter_mlinfn.jobs.backends.local import LocalBackend
from jupyter_mlinfn.jobs.backends.registry import load_backends
from jupyter_mlinfn.jobs.dispatcher import Dispatcher
from jupyter_mlinfn.jobs.supervisor import dispatching as watching
from jupyter_mlinfn.jobs.supervisor.dispatching import DispatcherWatch
from jupyter_mlinfn.jobs.waking import listen, wake
from jupyter_mlinfn.model.jobs import ENDED, Resources
from jupyter_mlinfn.process import locks, tree
from jupyter_mlinfn.process.identity import this_machine
from tests.jobs.engine.making import wait_for
from tests.jobs.engine.queueing import GIB, WAITING_SCRIPT, Bench

pytestmark = pytest.mark.slow


def test_a_job_starts_without_waiting_for_a_dispatcher(bench: Bench) -> None:
    job = bench.submit()
    assert bench.folder(job).claim.exists()
    wait_for(lambda: bench.ran() == [job])
    wait_for(lambda: bench.look(job).state == "running")
    assert bench.store.get(job).started_at is not None
    bench.go()
    record = bench.ended(job)
    assert record.state == "succeeded"
    assert record.usage.cpu_seconds is not None
    assert bench.store.claims(this_machine().host) == []
    assert bench.store.attempts(job)[0].exit_code == 0


def test_a_started_job_is_looked_after_before_its_supervisor_has_begun(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.submit(hand_over=False)
    assert starting.start_next(bench.context, bench.capacity(), ()) is not None
    held = bench.folder(job).supervisor_lock
    assert locks.held(held)
    with monkeypatch.context() as patched:
        patched.setattr(starting, "start_detached", lambda *_, **__: pytest.fail("a second one"))
        starting.start_supervisor(bench.folder(job))
    bench.go()
    assert bench.ended(job).state == "succeeded"
    assert bench.ran() == [job]
    wait_for(lambda: not locks.held(held))


def test_jobs_wait_for_a_slot_in_order_and_start_without_a_look(bench: Bench) -> None:
    jobs = [bench.submit() for _ in range(4)]
    wait_for(lambda: set(bench.ran()) == set(jobs[:2]))
    wait_for(lambda: bench.store.get(jobs[2]).reason is not None)
    reason = bench.store.get(jobs[2]).reason
    assert reason is not None
    assert reason.code == "waits-for-slot"
    assert "1 CPU; none can be had" in reason.text
    # nobody looks from here on: the dispatcher alone starts the others
    bench.go()
    wait_for(lambda: set(bench.ran()) == set(jobs))
    claimed = [(read_json(bench.folder(job).claim) or {})["claimed_at"] for job in jobs[2:]]
    assert claimed == sorted(claimed)
    wait_for(lambda: all(bench.store.get(job).state == "succeeded" for job in jobs))
    wait_for(lambda: not bench.dispatcher_lives())


def test_a_killed_dispatcher_is_started_again_by_a_supervisor(bench: Bench) -> None:
    jobs = [bench.submit() for _ in range(3)]
    wait_for(bench.dispatcher_lives)
    kill_dispatcher(bench)
    assert not bench.dispatcher_lives()
    told = read_json(bench.folder(jobs[0]).claim) or {}
    assert told["dispatcher"] == list(bench.context.dispatcher_command)
    bench.go()  # the supervisors end, and see to it that the third job starts
    wait_for(lambda: set(bench.ran()) == set(jobs))
    wait_for(lambda: bench.store.get(jobs[2]).state == "succeeded")


def test_a_dispatcher_started_by_a_supervisor_outlives_its_job(bench: Bench) -> None:
    first = bench.submit()
    wait_for(lambda: bench.ran() == [first])
    wait_for(bench.dispatcher_lives)
    kill_dispatcher(bench)
    wait_for(bench.dispatcher_lives)  # the supervisor looks every few seconds
    second = bench.submit()
    wait_for(lambda: bench.ran() == [first, second])
    bench.backend.cancel(bench.store.get(first))
    wait_for(lambda: bench.store.get(first).state == "cancelled")
    wait_for(lambda: not locks.held(bench.folder(first).supervisor_lock))
    assert bench.dispatcher_lives()
    assert bench.look(second).state == "running"
    bench.go()
    assert bench.ended(second).state == "succeeded"
    assert bench.store.get(second).attempts == 1


def kill_dispatcher(bench: Bench) -> None:
    """Kill -9 whoever holds the dispatcher's lock."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"dispatcher.run" in line and str(bench.context.state_dir).encode() in line:
                os.kill(int(entry.name), signal.SIGKILL)
    wait_for(lambda: not bench.dispatcher_lives())


def test_a_look_starts_what_a_killed_submit_left_waiting(bench: Bench) -> None:
    job = bench.submit(hand_over=False)
    assert bench.store.get(job).state == "queued"
    bench.go()
    assert bench.ended(job).state == "succeeded"
    assert bench.ran() == [job]


def test_a_slot_claimed_by_a_process_that_died_before_writing_it_down(bench: Bench) -> None:
    job = bench.submit(hand_over=False)
    bench.store.claim(this_machine().host, bench.capacity(), ())
    assert bench.store.get(job).state == "starting"
    bench.go()
    assert bench.ended(job).state == "succeeded"
    assert bench.store.get(job).attempts == 1
    assert bench.ran() == [job]


def test_an_orphan_is_looked_after_and_can_be_cancelled(bench: Bench) -> None:
    job = bench.submit()
    wait_for(lambda: bench.ran() == [job])
    supervisor = (read_json(bench.folder(job).supervisor) or {})["pid"]
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not locks.held(bench.folder(job).supervisor_lock))
    bench.backend.cancel(bench.store.get(job))
    record = bench.ended(job)
    assert record.state == "cancelled"
    assert bench.ran() == [job]


def test_a_waiting_job_is_cancelled_at_once(bench: Bench) -> None:
    jobs = [bench.submit() for _ in range(3)]
    bench.backend.cancel(bench.store.get(jobs[2]))
    assert bench.store.get(jobs[2]).state == "cancelled"
    bench.go()
    for job in jobs[:2]:
        assert bench.ended(job).state == "succeeded"
    assert jobs[2] not in bench.ran()


def test_a_slot_given_back_leads_to_another_attempt(bench: Bench) -> None:
    job = bench.submit(hand_over=False)
    bench.store.claim(this_machine().host, bench.capacity(), ())
    starting.write_claim(bench.context, bench.store.claims(this_machine().host)[0])
    folder = bench.folder(job)
    told = read_json(folder.claim) or {}
    told["machine"]["boot_id"] = "before the restart"
    folder.claim.write_text(json.dumps(told))
    bench.go()
    record = bench.ended(job)
    assert (record.state, record.attempts) == ("succeeded", 2)
    assert bench.ran() == [job]


def test_a_job_that_never_can_begin_is_given_up(bench: Bench) -> None:
    job = bench.submit(hand_over=False)
    pipe = listen(bench.context.state_dir)
    dispatching = Dispatcher(bench.context, pipe)
    for number in range(1, 11):
        bench.store.claim(this_machine().host, bench.capacity(), ())
        folder = bench.folder(job)
        folder.path.mkdir(parents=True)
        reason = {"code": "not-started", "text": "No memory for another program."}
        folder.returned.write_text(json.dumps({"reason": reason}))
        dispatching._tend(bench.store.active("local"))
        assert bench.store.get(job).attempts == number
    os.close(pipe)
    record = bench.store.get(job)
    assert record.state == "failed"
    assert record.reason is not None
    assert record.reason.text == "It could not begin 10 times. No memory for another program."


def test_an_evictable_job_runs_again_after_a_restart(bench: Bench) -> None:
    job = bench.submit(evictable=True)
    wait_for(lambda: bench.ran() == [job])
    folder = bench.folder(job)
    slot = folder.read_slot()
    assert slot is not None
    kill_dispatcher(bench)
    supervisor = (read_json(folder.supervisor) or {})["pid"]
    for pid in (supervisor, *tree.carrying("MLINFN_ATTEMPT_TOKEN", slot.attempt_token)):
        os.kill(pid, signal.SIGKILL)
    told = read_json(folder.claim) or {}
    told["machine"]["boot_id"] = "before the restart"
    folder.claim.write_text(json.dumps(told))
    wait_for(lambda: bench.look(job).attempts == 2)
    first, _ = bench.store.attempts(job)
    assert first.state == "evicted"
    assert first.reason is not None
    assert first.reason.code == "lost"
    wait_for(lambda: bench.ran() == [job, job])
    bench.go()
    assert bench.ended(job).state == "succeeded"
    assert Path(bench.store.get(job).output_folder, "study.log").exists()


def test_a_removed_folder_ends_the_job(bench: Bench) -> None:
    job = bench.submit(hand_over=False)
    bench.store.claim(this_machine().host, bench.capacity(), ())
    bench.context.folders.remove(job)
    record = bench.ended(job)
    assert record.reason is not None
    assert (record.state, record.reason.code) == ("failed", "lost")


@pytest.mark.parametrize("what", ["while it runs", "and ends"])
def test_a_job_that_removes_its_own_folder_does_not_run_again(bench: Bench, what: str) -> None:
    wait = WAITING_SCRIPT.splitlines()[-1] if what == "while it runs" else ""
    script = "\n".join(
        [
            *WAITING_SCRIPT.splitlines()[:-1],
            "while not pathlib.Path('seen').exists(): time.sleep(0.02)",
            "import shutil; shutil.rmtree(os.environ['MLINFN_JOB_DIR'])",
            wait,
        ]
    )
    job = bench.submit(script)
    wait_for(lambda: bench.look(job).state == "running")
    (bench.work / "seen").touch()
    if wait:
        wait_for(lambda: not bench.folder(job).path.exists())
        bench.look(job)
        bench.go()
    record = bench.ended(job)
    assert record.reason is not None
    assert (record.state, record.reason.code) == ("failed", "lost")
    assert bench.ran() == [job]


@pytest.mark.parametrize("name", ["begun", "returned.json"])
@pytest.mark.parametrize("content", ["{}", '{"at": "noon", "reason": {"code": 1}}'])
def test_one_damaged_folder_stops_no_other_job(
    gpus: Bench, dispatching: Dispatcher, name: str, content: str
) -> None:
    """A job's own code can write there, and so can a disk that fails."""
    damaged = gpus.submit()
    dispatching.look()
    wait_for(lambda: gpus.ran() == [damaged])
    (gpus.folder(damaged).path / name).write_text(content)
    other = gpus.submit()
    dispatching.look()
    assert set(gpus.backend.query(gpus.store.unfinished("local"))) >= {other}
    wait_for(lambda: dispatching.look() and other in gpus.ran())
    gpus.go()
    wait_for(lambda: (dispatching.look(), gpus.store.get(other).state)[1] == "succeeded", 30)
    wait_for(lambda: (dispatching.look(), gpus.store.get(damaged).state)[1] in ENDED, 30)


def test_the_same_trouble_is_logged_once(
    gpus: Bench,
    dispatching: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A dispatcher lives for weeks and looks every second."""
    gpus.submit()
    dispatching.look()

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("jupyter_mlinfn.jobs.backends.attempts.observe", broken)
        for _ in range(5):
            dispatching.look()
            assert gpus.backend.query(gpus.store.unfinished("local")) == {}
    assert len(caplog.records) == 2  # one by the dispatcher, one by the back-end


def test_a_dispatcher_lives_from_the_moment_it_is_started(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = DispatcherWatch(a_slot(bench))
    starting.start_dispatcher(bench.context)
    assert bench.dispatcher_lives()
    with monkeypatch.context() as patched:
        patched.setattr(starting, "start_detached", lambda *_, **__: pytest.fail("a second one"))
        patched.setattr(watching, "start_unrelated", lambda *_, **__: pytest.fail("a second one"))
        starting.start_dispatcher(bench.context)
        watch.wake()
        watch.start()
    wait_for(lambda: not bench.dispatcher_lives())


def test_a_supervisors_dispatcher_lives_from_the_moment_it_is_started(bench: Bench) -> None:
    wait = "import pathlib, time\nwhile not pathlib.Path('end').exists(): time.sleep(0.02)\n"
    slot = replace(a_slot(bench), dispatcher=(sys.executable, "-c", f"open('up', 'w')\n{wait}"))
    bench.folder(slot.job).claim.write_text(slot.to_json())
    subprocess.run(
        [sys.executable, "-c", WATCHING, str(bench.folder(slot.job).path)], check=True, timeout=120
    )
    wait_for((bench.context.state_dir / "up").exists)
    assert bench.dispatcher_lives()  # and this one never takes a lock itself
    (bench.context.state_dir / "end").touch()
    wait_for(lambda: not bench.dispatcher_lives())


WATCHING = """
import sys
from pathlib import Path
from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.supervisor.dispatching import DispatcherWatch
DispatcherWatch(AttemptFolder(Path(sys.argv[1])).read_slot()).start()
"""


def a_slot(bench: Bench) -> Slot:
    """What a supervisor knows of the dispatcher."""
    job = bench.submit(hand_over=False)
    bench.go()
    claim = bench.store.claim(this_machine().host, bench.capacity(), ())
    assert claim is not None
    starting.write_claim(bench.context, claim)
    slot = bench.folder(job).read_slot()
    assert slot is not None
    return slot


def test_a_second_dispatcher_ends_at_once(bench: Bench) -> None:
    lock = locks.acquire(bench.context.state_dir / "dispatcher.lock")
    assert lock is not None
    started = time.monotonic()
    dispatcher.run(bench.context)
    assert time.monotonic() - started < dispatcher.LINGER
    os.close(lock)


def test_nothing_is_started_from_inside_a_job(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLINFN_ATTEMPT_TOKEN", "outer-1")
    job = bench.submit()
    bench.backend.heal()
    assert bench.store.get(job).state == "queued"
    assert not bench.dispatcher_lives()
    monkeypatch.delenv("MLINFN_ATTEMPT_TOKEN")
    bench.go()
    assert bench.ended(job).state == "succeeded"


def test_what_can_never_run_is_refused_with_all_reasons(bench: Bench) -> None:
    problems = bench.backend.check(Resources(cpus=3, memory=5 * GIB, gpus=1))
    assert [problem.field for problem in problems] == [
        "resources.cpus",
        "resources.memory",
        "resources.gpus",
    ]
    assert "No GPU was found" in problems[2].text
    assert bench.backend.check(Resources(cpus=2, memory=4 * GIB)) == ()
    assert bench.backend.check(Resources(memory=2**20))[0].code == "asks-too-little"
    limits = bench.backend.limits()
    assert (limits.cpus, limits.memory, limits.gpus) == (2, 4 * GIB, 0)


def test_the_forecast_says_what_would_happen(bench: Bench) -> None:
    assert bench.backend.forecast(Resources()).starts_now
    jobs = [bench.submit() for _ in range(2)]
    told = bench.backend.forecast(Resources())
    assert not told.starts_now
    assert "2 jobs of yours leave 0 CPUs" in told.text
    jobs.append(bench.submit())
    assert "behind 1 job" in bench.backend.forecast(Resources()).text
    bench.go()
    for job in jobs:
        bench.ended(job)


# --- small parts --------------------------------------------------------------------------------


def test_waking(tmp_path: Path) -> None:
    assert not wake(tmp_path)
    (tmp_path / "dispatcher.wake").write_text("a left-over that is no pipe")
    pipe = listen(tmp_path)
    assert wake(tmp_path)
    assert os.read(pipe, 10) == b"."
    os.close(pipe)
    assert not wake(tmp_path)


def test_the_registry_knows_the_local_backend(bench: Bench) -> None:
    assert isinstance(load_backends(bench.context)["local"], LocalBackend)


def test_a_started_supervisor_belongs_to_nobody(bench: Bench) -> None:
    job = bench.submit()
    wait_for(lambda: bench.ran() == [job])
    pid = (read_json(bench.folder(job).supervisor) or {})["pid"]
    assert os.getsid(pid) == pid
    told = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=True
    )
    assert job.encode() in told.stdout
    bench.go()
    bench.ended(job)
