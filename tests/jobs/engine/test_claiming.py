"""Which job gets an accelerator, over a real index and with the real dispatcher."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import accelerator_locks
from jupyter_mlinfn.jobs.backends import starting
from jupyter_mlinfn.jobs.dispatcher import Dispatcher
from jupyter_mlinfn.process.identity import this_machine
from tests.jobs.engine.making import wait_for
from tests.jobs.engine.queueing import WAITING_SCRIPT, Bench

pytestmark = pytest.mark.slow


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
    assert starting.start_next(gpus.context, gpus.capacity(), gpus.devices.all) is None
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
