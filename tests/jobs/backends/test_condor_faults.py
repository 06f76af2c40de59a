"""HTCondor that is silent, frozen, killed or forgetful: nothing runs twice or ends wrongly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from jupyter_mlinfn.jobs.backends.handing import Note
from jupyter_mlinfn.jobs.backends.htcondor import calls
from jupyter_mlinfn.jobs.backends.htcondor.backend import HTCondorBackend
from jupyter_mlinfn.model.errors import Unavailable
from tests.faults.batch import sample
from tests.faults.systems import OnHTCondor
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.backends.silence import Clock, Silence, counted, until_known
from tests.systems.condor import Condor

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(400)]

SHORT = {"absent": 1.0, "not-again": 1.0, "no-word": 1.0}


@pytest.fixture
def frozen(pool: Condor) -> Iterator[int]:
    """A schedd that stands still; it goes on when the test says so, or at its end."""
    pid = pool.freeze_schedd()
    yield pid
    os.kill(pid, signal.SIGCONT)
    pool.until_answers()


@pytest.fixture
def waiting(condor_desk: Desk, pool: Condor) -> Iterator[None]:
    """No machine: jobs wait."""
    pool.call("condor_off", "-startd", "-fast")
    yield
    pool.machine_on()


def test_a_frozen_schedd_is_unknown_and_never_an_end(
    condor_desk: Desk, pool: Condor, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = condor_desk
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 0.7)
    monkeypatch.setattr(HTCondorBackend, "patience", SHORT)
    job = desk.submit(desk.held(), "print('whole')", file="study.py")
    desk.until(job.id, "running")
    pid = pool.freeze_schedd()
    try:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            seen = desk.look(job.id)
            assert seen.state == "running"
            time.sleep(0.2)
        assert seen.unknown_since is not None
    finally:
        os.kill(pid, signal.SIGCONT)
    desk.go()
    done = desk.until(job.id, "succeeded")
    assert done.unknown_since is None
    assert texts(done.output) == ["whole\n"]


def test_other_threads_go_on_while_htcondor_does_not_answer(
    condor_desk: Desk, frozen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bindings would block for 20 seconds; who asks gets its answer at its own deadline."""
    monkeypatch.setattr(calls, "_TELLS_WITHIN", 1.0)
    asked = calls.Speaker({})
    stop, longest = threading.Event(), 0.0

    def tick() -> None:
        nonlocal longest
        last = time.monotonic()
        while not stop.wait(0.01):
            now = time.monotonic()
            longest, last = max(longest, now - last), now

    ticking = threading.Thread(target=tick)
    ticking.start()
    with pytest.raises(Unavailable):
        asked.ask("jobs", 1.0, schedd="", constraint="true", fields=["ClusterId"])
    stop.set()
    ticking.join()
    assert longest < 0.9  # far less than the question took
    assert asked._feed is None


def test_a_submit_without_answer_makes_one_job(
    condor_desk: Desk, pool: Condor, waiting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedd takes the job after we stopped waiting: found by its token, not sent again."""
    desk = condor_desk
    monkeypatch.setattr(calls, "_SUBMITS_WITHIN", 1.0)
    pid = pool.freeze_schedd()
    try:
        job = desk.submit("print(1)")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert job.backend_id is None
    assert job.state == "queued"
    pool.until_answers()
    spec = desk.bench.folders.read_spec(job.id)
    backend = desk.bench.backends["htcondor"]
    monkeypatch.setattr(calls, "_SUBMITS_WITHIN", 30.0)
    if not pool.known(job.id):
        with pytest.raises(Unavailable):  # it may still arrive
            backend.submit(spec)
        note = Note(tried_at=time.time() - 60).model_dump_json()
        (desk.bench.folders.job(job.id) / "htcondor.json").write_text(note)
    assert backend.submit(spec).isdecimal()
    assert pool.known(job.id) == 1


def test_killed_after_the_answer_and_before_the_note_finds_its_job(
    condor_desk: Desk, pool: Condor, waiting: None
) -> None:
    desk = condor_desk
    job = desk.submit("print(1)")
    folder = desk.bench.folders.job(job.id)
    (folder / "htcondor.json").write_text(Note(tried_at=time.time()).model_dump_json())
    spec = desk.bench.folders.read_spec(job.id)
    assert desk.another().backends["htcondor"].submit(spec) == job.backend_id
    assert pool.known(job.id) == 1


def test_a_killed_schedd_ends_no_job(condor_desk: Desk, pool: Condor) -> None:
    desk = condor_desk
    job = desk.submit(desk.held(), "print('whole')", file="study.py")
    waits = desk.submit("print('later')", cpus=6, file="later.py")
    desk.until(job.id, "running")
    pool.kill_schedd()
    assert desk.look(job.id).state == "running"
    pool.until_answers()
    desk.go()
    done = desk.until(job.id, "succeeded")
    assert texts(done.output) == ["whole\n"]
    assert done.attempts == 1
    assert texts(desk.until(waits.id, "succeeded").output) == ["later\n"]


def test_a_job_that_htcondor_forgot_is_handed_over_once_more_and_only_once(
    condor_desk: Desk, pool: Condor, waiting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ad is renamed under our feet: neither queue nor history know the job any more."""
    desk = condor_desk
    monkeypatch.setattr(HTCondorBackend, "patience", SHORT)
    job = desk.submit("print(1)")
    forget(pool, str(job.backend_id))
    until = time.monotonic() + 30
    while not pool.known(job.id) and time.monotonic() < until:
        assert desk.look(job.id).state == "queued"
        time.sleep(0.2)
    assert pool.known(job.id) == 1
    backend = cast("HTCondorBackend", desk.bench.backends["htcondor"])
    again = backend._note(job.id)
    assert (again.again, again.id) == (1, desk.look(job.id).backend_id)
    assert again.id != job.backend_id
    forget(pool, str(again.id))
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "lost"
    assert not backend._again


def test_what_the_queue_forgot_the_history_tells(
    condor_desk: Desk, pool: Condor, waiting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = condor_desk
    monkeypatch.setattr(HTCondorBackend, "patience", SHORT)
    job = desk.submit("print(1)")
    pool.call("condor_qedit", str(job.backend_id), "LeaveJobInQueue", "false")
    pool.call("condor_rm", str(job.backend_id))
    done = desk.until(job.id, "cancelled")
    assert done.reason is not None
    assert "cancelled in HTCondor" in done.reason.text
    assert pool.known(job.id) == 1


def forget(pool: Condor, number: str) -> None:
    """Make HTCondor not know the job under its id any more."""
    code, said = pool.call("condor_qedit", number, "MLInfnJobId", '"aaaaaaaaaa"')
    assert code == 0, said


@pytest.mark.fault
def test_kill_9_at_random_points_of_submit_query_and_cancel(
    pool: Condor, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample; ``make faults N=1000 ON=htcondor`` runs the whole."""
    for name, value in {**pool.environment, "JUPYTER_NO_CONFIG": ""}.items():
        monkeypatch.setenv(name, value)
    sample("htcondor", OnHTCondor(pool), own_folders)
    pool.clear()


def test_half_an_hour_of_silence_ends_no_job_wrongly(
    condor_desk: Desk, pool: Condor, waiting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is put forward; the schedd stands still, then what speaks with it is absent,
    asleep, says garbage, half a line."""
    desk = condor_desk
    job = desk.submit("print(1)")
    until_known(desk, job.id)
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 0.3)
    backend, own_program = (
        cast("HTCondorBackend", desk.bench.backends["htcondor"]),
        calls.own_program,
    )
    frozen = pool.freeze_schedd()

    def says(body: str) -> Callable[[], None]:
        def begin() -> None:
            monkeypatch.setattr(calls, "own_program", lambda *_told: ("/bin/sh", "-c", body))
            backend._calls._watching.close()

        return begin

    bodies = ("exit 127", "sleep 60", "head -c 3000 /dev/urandom", "printf '{\"told\": [[1, 2'")
    silence = Silence(desk, Clock(monkeypatch), counted(desk, monkeypatch))
    try:
        silence.last({job.id: "queued"}, [lambda: None, *map(says, bodies)])
    finally:
        os.kill(frozen, signal.SIGCONT)
    silence.assert_backs_off()
    monkeypatch.setattr(calls, "own_program", own_program)
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 15.0)
    backend._calls._watching.close()
    pool.until_answers()
    silence.until_broken([job.id])
    assert pool.known(job.id) == 1


def test_the_program_that_speaks_ends_with_who_asked() -> None:
    asks = (
        "import time\n"
        "from jupyter_mlinfn.jobs.backends.htcondor.calls import Speaker\n"
        "speaker = Speaker({})\n"
        "speaker.ask('domain', 30.0)\n"
        "print(speaker._feed.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environ = {**os.environ, "CONDOR_CONFIG": "/dev/null"}
    with subprocess.Popen(
        [sys.executable, "-c", asks], stdout=subprocess.PIPE, env=environ
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        process.kill()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}/exe").exists()
