"""What a job uses now, as it is seen from inside: CPUs, memory, and its own accelerators."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.follow import read_progress
from jupyter_mlinfn.jobs.supervisor.busy import GpuMeter
from jupyter_mlinfn.jobs.supervisor.consumption import Consumption
from jupyter_mlinfn.process.cgroup import ControlGroup
from jupyter_mlinfn.process.identity import this_machine
from tests.jobs.engine.making import make_attempt, start_supervisor, wait_for

pytestmark = pytest.mark.slow

MIB = 2**20
BUSY = f"kept = bytearray({300 * MIB})\nwhile True: pass"


def using(folder: AttemptFolder) -> Any:
    """What is told now, once CPU time was measured between two looks."""
    told = read_progress(folder.path).using
    return told if told is not None and told.cpus is not None else None


def test_a_running_job_tells_what_it_uses_and_keeps_the_peak(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, BUSY, memory=2**30)
    process = start_supervisor(folder)
    try:
        wait_for(folder.begun.exists)
        told = wait_for(lambda: using(folder))
        assert 0 < told.cpus <= 1.5  # one loop in one process; a loaded machine gives it less
        assert told.memory > 300 * MIB
        assert told.peak_memory >= told.memory
        assert told.gpus_busy is None
        progress = read_progress(folder.path)
        assert (progress.cells_done, progress.cells_total, progress.current_cell) == (0, 1, 1)
        folder.cancel.touch()
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    end = read_json(folder.end)
    assert end is not None
    assert end["usage"]["peak_memory"] > 300 * MIB
    assert read_progress(folder.path).using is None


def test_where_no_group_counts_the_process_tree_does(tmp_path: Path) -> None:
    """A predecessor's word that there are no groups: as on a machine that grants none."""
    import json

    folder = make_attempt(tmp_path, BUSY, memory=2**30)
    about = {"machine": this_machine().as_dict(), "groups": ["/sys/nowhere/group"]}
    folder.supervisor.write_text(json.dumps(about))
    process = start_supervisor(folder)
    try:
        told = wait_for(lambda: using(folder))
        assert 0 < told.cpus <= 1.5
        assert told.memory > 300 * MIB
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    finally:
        process.kill()
        process.wait()


def test_nothing_is_said_of_cpus_before_two_looks() -> None:
    use = Consumption(ControlGroup(()), 2**30, set)
    assert use.cpus_busy() is None
    time.sleep(0.01)
    assert use.cpus_busy() == 0.0


def test_the_accelerators_of_the_job_alone_are_counted() -> None:
    """With the simulated driver of the GPUs' room, by the program that reads the real one."""
    everything = GpuMeter(("nothing-has-this-name",), ("--simulated",))
    wait_for(lambda: everything.percent() or everything._rows)
    rows = [row for row in everything._rows.values() if row.get("percent") is not None]
    assert everything.percent() is None
    mine = rows[0]["uuid"]
    meter = GpuMeter((mine,), ("--simulated",))
    percent = wait_for(lambda: meter.percent() is not None and (meter.percent(),))[0]
    assert 0 <= percent <= 100
    assert len(meter.pids()) == 1
    whole = next(row for row in rows if "parent" not in row)
    by_number = GpuMeter((str(whole["index"]),), ("--simulated",))
    wait_for(lambda: by_number.percent() is not None)
    for one in (everything, meter, by_number):
        one.close()
        assert (one.percent(), one.pids()) == (None, set())
    assert {r["uuid"] for r in by_number._rows.values() if by_number._is(r)} == {whole["uuid"]}


def test_without_a_driver_nothing_is_said_and_nothing_waits() -> None:
    meter = GpuMeter(("GPU-1",))
    assert meter.percent() is None  # started
    wait_for(lambda: meter.percent() is None and meter._given_up)
    assert GpuMeter(()).pids() == set()
