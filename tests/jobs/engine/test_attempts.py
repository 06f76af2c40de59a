"""What an attempt's folder says: life, end, and silence on another machine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder, now
from jupyter_mlinfn.jobs.backends import attempts, capacity
from jupyter_mlinfn.jobs.backends.protocol import LocalSettings
from jupyter_mlinfn.model.jobs import EnvironmentName, JobRecord, Resources
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.identity import this_machine
from tests.jobs.engine.making import make_attempt


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    return make_attempt(tmp_path, "1")


def record(**changes: Any) -> JobRecord:
    values: dict[str, Any] = {
        "id": "aaaaaaaaaa",
        "name": "test",
        "kind": "notebook",
        "state": "starting",
        "backend": "local",
        "environment": EnvironmentName(name="python3"),
        "resources": Resources(),
        "source": "/home/ada/study.ipynb",
        "output_folder": "/home/ada/results",
        "attempts": 1,
        "submitted_at": now(),
    }
    return JobRecord(**{**values, **changes})


def test_the_stations_of_an_attempt(folder: AttemptFolder) -> None:
    assert attempts.life(folder) == "unsupervised"
    assert attempts.observe(folder, record()).state == "starting"
    lock = locks.acquire(folder.supervisor_lock)
    assert lock is not None
    assert attempts.life(folder) == "supervised"
    folder.begun.write_text(json.dumps({"at": now()}))
    folder.event("cell-start", cell=1, cells_done=0, cells_total=3)
    folder.log.write_text("hello\n")
    seen = attempts.observe(folder, record())
    assert seen.state == "running"
    assert seen.started_at is not None
    assert seen.progress is not None
    assert (seen.progress.cells_total, seen.progress.last_line) == (3, "hello")
    os.close(lock)
    folder.returned.write_text("{}")
    assert attempts.life(folder) == "unsupervised", "no slot is given back once code has begun"
    folder.begun.unlink()
    assert attempts.life(folder) == "returned"
    folder.end.write_text(
        json.dumps({"state": "succeeded", "reason": None, "ended_at": now(), "exit_code": 0})
    )
    assert attempts.life(folder) == "ended"
    assert attempts.observe(folder, record(attempts=3)).attempt == 3


def test_the_end_tells_the_last_progress_not_the_one_last_seen(folder: AttemptFolder) -> None:
    """A short job ends between two looks; its list entry then stood at the cell seen before."""
    folder.begun.write_text(json.dumps({"at": now()}))
    folder.event("cell-done", cell=6, cells_done=6, cells_total=6)
    folder.end.write_text(json.dumps({"state": "succeeded", "reason": None, "ended_at": now()}))
    seen = attempts.observe(folder, record(state="running"))
    assert seen.state == "succeeded"
    assert seen.progress is not None
    assert (seen.progress.cells_done, seen.progress.cells_total) == (6, 6)


@pytest.mark.parametrize("content", ['{"state": "no such state"}', '{"state": "failed", "x": 1}'])
def test_a_damaged_end_still_ends_the_job(folder: AttemptFolder, content: str) -> None:
    folder.end.write_text(content)
    seen = attempts.observe(folder, record())
    assert seen.state == "failed"
    assert seen.reason is not None
    assert seen.reason.code == "lost"


def elsewhere(folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch, silent: float) -> None:
    """The attempt runs on another machine that shares the folder, silent for so long."""
    monkeypatch.setattr(attempts, "is_network", lambda _: True)
    machine = {**this_machine().as_dict(), "host": "another"}
    folder.supervisor.write_text(json.dumps({"pid": 1, "machine": machine}))
    then = time.time() - silent
    os.utime(folder.supervisor, (then, then))


def test_another_machine_is_believed_by_its_heartbeat(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(folder, monkeypatch, silent=5)
    assert attempts.life(folder) == "elsewhere"
    assert attempts.observe(folder, record()).unknown_since is None
    elsewhere(folder, monkeypatch, silent=100)
    assert attempts.life(folder) == "elsewhere"
    assert attempts.observe(folder, record()).unknown_since is not None
    elsewhere(folder, monkeypatch, silent=1000)
    assert attempts.life(folder) == "unsupervised"


def test_on_a_local_disk_the_lock_alone_decides(
    folder: AttemptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(folder, monkeypatch, silent=5)
    monkeypatch.setattr(attempts, "is_network", lambda _: False)
    assert attempts.life(folder) == "unsupervised"


def test_capacity_is_what_is_there_less_the_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "cpu_limit", lambda: 6.5)
    monkeypatch.setattr(capacity, "memory_limit", lambda: 4 * 2**30)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    found = capacity.measure(LocalSettings())
    assert (found.cpus, found.memory) == (5, 3 * 2**30)
    found = capacity.measure(LocalSettings(reserve_cpus=0, reserve_memory=2**30))
    assert (found.cpus, found.memory) == (6, 3 * 2**30)
    found = capacity.measure(LocalSettings(cpus=40, memory=2**40))
    assert (found.cpus, found.memory) == (40, 2**40)
    monkeypatch.setattr(capacity, "cpu_limit", lambda: 0.5)
    monkeypatch.setattr(capacity, "memory_limit", lambda: 2**29)
    found = capacity.measure(LocalSettings())
    assert (found.cpus, found.memory) == (1, 2**28)
