"""The queue of one machine: the local back-end and the dispatcher over a real index."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs import accelerator_locks, dispatcher
from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.backends import starting
from jupyter_mlinfn.jobs.backends.local import LocalBackend
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, LocalSettings
from jupyter_mlinfn.jobs.backends.registry import load_backends
from jupyter_mlinfn.jobs.dispatcher import Dispatcher
from jupyter_mlinfn.jobs.folders import BundledEnvironment, JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.waking import listen, wake
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.environments import EnvironmentRef, KernelCommand
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobRequest, JobSpec, Resources
from jupyter_mlinfn.process import locks, tree
from jupyter_mlinfn.process.identity import this_machine
from tests.jobs.engine.making import KERNEL, wait_for
from tests.jobs.workplace import make_spec

GIB = 2**30
WAITING_SCRIPT = (
    "import os, pathlib, time\n"
    "open('ran', 'a').write(os.environ['MLINFN_JOB'] + '\\n')\n"
    "while not pathlib.Path('go').exists(): time.sleep(0.02)\n"
)


class Devices:
    """An inventory of accelerators that a test sets."""

    def __init__(self, *uuids: str) -> None:
        self.all = tuple(FreeAccelerator(uuid=uuid, name="GPU") for uuid in uuids)
        self.held: set[str] = set()
        self.silent = False

    def schedulable(self) -> tuple[FreeAccelerator, ...]:
        return self.all

    def free(self) -> tuple[FreeAccelerator, ...]:
        if self.silent:
            raise Unavailable("The driver does not answer.")
        return tuple(device for device in self.all if device.uuid not in self.held)


class Bench:
    """One data folder with two slots, and scripts as jobs (they start fast)."""

    def __init__(self, root: Path, *uuids: str) -> None:
        self.work = root / "work"
        self.work.mkdir()
        self.devices = Devices(*uuids)
        folders = JobFolders(root / "data")
        folders.create()
        self.context = BackendContext(
            store=JobStore(root / "data" / "jobs.sqlite", folders),
            folders=folders,
            accelerators=self.devices,
            dispatcher_command=(sys.executable, "-c", DISPATCHER, str(root / "data")),
            state_dir=root / "data",
            local=LocalSettings(cpus=2, memory=4 * GIB),
            accelerator_locks=root / "locks",
        )
        self.store = self.context.store
        self.backend = LocalBackend(self.context)

    def submit(self, script: str = WAITING_SCRIPT, *, hand_over: bool = True, **asked: Any) -> str:
        """Submit a script as submission would; its id."""
        spec = self.add(script, **asked)
        if hand_over:
            assert self.backend.submit(spec) == spec.id
        return spec.id

    def add(self, script: str, **asked: Any) -> JobSpec:
        """A committed job that nobody has been told of."""
        ref = EnvironmentRef(name="python3", kernel=KernelCommand(**KERNEL))
        asked = {"cpus": 1, "memory": GIB // 2, **asked}
        spec = make_spec(
            kind="script",
            workdir=str(self.work),
            source=str(self.work / "study.py"),
            environment=ref,
            **asked,
        )
        spec = spec.model_copy(update={"output_folder": str(self.work / "results" / spec.id)})
        bundle = self.context.folders.bundle(spec.id)
        bundle.mkdir(parents=True)
        (bundle / "script.py").write_text(script)
        (bundle / "kernel.json").write_text(json.dumps(KERNEL))
        environment = BundledEnvironment(ref=ref)
        (bundle / "environment.json").write_text(environment.model_dump_json())
        job = self.context.folders.job(spec.id)
        (job / "job.json").write_text(spec.model_dump_json())
        request = JobRequest(source=spec.source, resources=spec.resources)
        (job / "request.json").write_text(request.model_dump_json())
        self.store.insert(spec, request)
        self.context.folders.mark_committed(spec.id)
        return spec

    def look(self, job: str) -> JobRecord:
        """What a server says after a look."""
        self.store.observe_all(self.backend.query(self.store.unfinished("local")))
        self.backend.heal()
        return self.store.get(job)

    def folder(self, job: str) -> AttemptFolder:
        """The folder of the newest attempt."""
        return starting.newest_folder(self.context, self.store.get(job))

    def go(self) -> None:
        """Let all waiting scripts end."""
        (self.work / "go").touch()

    def ended(self, job: str) -> JobRecord:
        """Wait for its end."""
        wait_for(lambda: self.look(job).state in ENDED)
        return self.store.get(job)

    def ran(self) -> list[str]:
        """The jobs whose code has begun, in order."""
        file = self.work / "ran"
        return file.read_text().split() if file.exists() else []

    def dispatcher_lives(self) -> bool:
        return starting.dispatcher_lives(self.context)


DISPATCHER = """
import sys
from pathlib import Path
from typing import Any
from jupyter_mlinfn.jobs import dispatcher
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, LocalSettings
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
data = Path(sys.argv[1])
class Nothing:
    def schedulable(self): return ()
    def free(self): return ()
folders = JobFolders(data)
dispatcher.run(BackendContext(
    store=JobStore(data / "jobs.sqlite", folders), folders=folders, accelerators=Nothing(),
    dispatcher_command=(sys.executable, "-c", "pass"), state_dir=data,
    local=LocalSettings(cpus=2, memory=4 * 2**30), accelerator_locks=data.parent / "locks",
), linger=0.5)
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench without accelerators; everything it started is over at the end."""
    made = Bench(tmp_path)
    yield made
    made.go()
    wait_for(lambda: not made.store.active("local") or made.look(made.store.active("local")[0].id))
    wait_for(lambda: not made.dispatcher_lives())
    made.store.close()


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
    bench.store.claim(this_machine().host, bench_capacity(bench), ())
    assert bench.store.get(job).state == "starting"
    bench.go()
    assert bench.ended(job).state == "succeeded"
    assert bench.store.get(job).attempts == 1
    assert bench.ran() == [job]


def bench_capacity(bench: Bench) -> starting.Capacity:
    from jupyter_mlinfn.jobs.backends.capacity import measure

    return measure(bench.context.local)


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
    bench.store.claim(this_machine().host, bench_capacity(bench), ())
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
        bench.store.claim(this_machine().host, bench_capacity(bench), ())
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
    bench.store.claim(this_machine().host, bench_capacity(bench), ())
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


# --- accelerators -------------------------------------------------------------------------------


@pytest.fixture
def gpus(tmp_path: Path) -> Iterator[Bench]:
    """A bench with one accelerator, dispatched from inside the test."""
    made = Bench(tmp_path, "GPU-a")
    made.context = made.context.__class__(
        **{**made.context.__dict__, "dispatcher_command": (sys.executable, "-c", "pass")}
    )
    made.backend = LocalBackend(made.context)
    yield made
    made.store.close()


@pytest.fixture
def dispatching(gpus: Bench) -> Iterator[Dispatcher]:
    """Its dispatcher; a test calls ``look``."""
    pipe = listen(gpus.context.state_dir)
    made = Dispatcher(gpus.context, pipe)
    yield made
    gpus.go()
    wait_for(lambda: not made.look() or not made.context.store.active("local"))
    os.close(pipe)


def test_one_accelerator_serves_one_job_at_a_time(gpus: Bench, dispatching: Dispatcher) -> None:
    show = "import os; print('sees', os.environ['CUDA_VISIBLE_DEVICES'])\n"
    without = gpus.submit(show + WAITING_SCRIPT)
    first, second = (gpus.submit(show + WAITING_SCRIPT, gpus=1) for _ in range(2))
    dispatching.look()
    wait_for(lambda: set(gpus.ran()) == {first, without})
    assert "sees GPU-a" in gpus.folder(first).log.read_text()
    assert "sees \n" in gpus.folder(without).log.read_text()
    assert accelerator_locks.is_held(gpus.context.accelerator_locks, "GPU-a")  # type: ignore[arg-type]
    reason = gpus.store.get(second).reason
    assert reason is not None
    assert reason.code == "waits-for-accelerator"
    gpus.go()
    wait_for(lambda: dispatching.look() and gpus.store.get(second).state == "succeeded")
    assert gpus.ran()[-1] == second


@pytest.mark.parametrize("why", ["a notebook holds memory", "another person's job", "no answer"])
def test_an_accelerator_in_use_is_not_given_away(
    gpus: Bench, dispatching: Dispatcher, why: str
) -> None:
    folder = gpus.context.accelerator_locks
    assert folder is not None
    held = accelerator_locks.hold(folder, ["GPU-a"]) if why == "another person's job" else ()
    gpus.devices.held = {"GPU-a"} if why == "a notebook holds memory" else set()
    gpus.devices.silent = why == "no answer"
    job = gpus.submit(gpus=1)
    dispatching.look()
    assert gpus.store.get(job).state == "queued"
    accelerator_locks.release(held or ())
    gpus.devices.held, gpus.devices.silent = set(), False
    dispatching._devices = (0.0, ())
    dispatching.look()
    wait_for(lambda: gpus.ran() == [job])


def test_an_accelerator_lost_in_a_race_sends_the_job_back(
    gpus: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = gpus.context.accelerator_locks
    assert folder is not None
    job = gpus.submit(gpus=1)
    held = accelerator_locks.hold(folder, ["GPU-a"])
    assert held
    monkeypatch.setattr(accelerator_locks, "is_held", lambda *_: False)
    assert starting.start_next(gpus.context, bench_capacity(gpus), gpus.devices.all) is None
    record = gpus.store.get(job)
    assert (record.state, record.attempts) == ("queued", 1)
    assert gpus.store.claims(this_machine().host) == []
    accelerator_locks.release(held)


def test_a_dispatcher_that_loses_such_a_race_goes_on_with_other_things(
    gpus: Bench, dispatching: Dispatcher
) -> None:
    """The devices were asked a moment ago, and another person's job took one since."""
    folder = gpus.context.accelerator_locks
    assert folder is not None
    dispatching._devices = (time.monotonic(), gpus.devices.all)
    held = accelerator_locks.hold(folder, ["GPU-a"])
    assert held
    job, other = gpus.submit(gpus=1), gpus.submit()
    threading.Timer(5.0, dispatching.end).start()
    dispatching.look()
    assert not dispatching.ending, "it tried the same job again and again"
    record = gpus.store.get(job)
    assert record.attempts == 0
    assert record.reason is not None
    assert record.reason.code == "waits-for-accelerator"
    wait_for(lambda: gpus.ran() == [other])
    accelerator_locks.release(held)


@pytest.mark.parametrize("trap", ["a link", "a folder"])
def test_what_others_put_in_the_place_of_a_lock_stops_nobody(
    gpus: Bench, dispatching: Dispatcher, tmp_path: Path, trap: str
) -> None:
    """The folder of the locks is everybody's: what lies there may be anybody's doing."""
    folder = gpus.context.accelerator_locks
    assert folder is not None
    folder.mkdir()
    if trap == "a link":
        (folder / "GPU-a").symlink_to(tmp_path / "precious")
    else:
        (folder / "GPU-a").mkdir()
    (tmp_path / "precious").touch()
    assert accelerator_locks.hold(folder, ["GPU-a"]) is None
    job, other = gpus.submit(gpus=1), gpus.submit()
    dispatching.look()
    assert gpus.store.get(job).state == "queued"
    wait_for(lambda: gpus.ran() == [other])


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
