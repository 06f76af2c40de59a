"""Told to end: hooks save, the attempt says evicted, the next goes on to the same result."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.supervisor.warning import limit_is_near, time_for_code
from jupyter_mlinfn.process import tree
from tests.jobs.engine.making import (
    make_attempt,
    next_attempt,
    run_to_end,
    start_supervisor,
    texts,
    wait_for,
)
from tests.jobs.engine.training import TELLS, TRAINING, WAITS, undisturbed

pytestmark = pytest.mark.slow


def evict(folder: AttemptFolder, seen: Any) -> dict[str, Any]:
    """Run the attempt until ``seen`` and tell its supervisor to end, as a batch system does."""
    process = start_supervisor(folder)
    try:
        wait_for(seen)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    end = read_json(folder.end)
    assert end is not None, folder.log.read_text()
    return end


def events(folder: AttemptFolder, kind: str) -> list[dict[str, Any]]:
    lines = folder.events.read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def steps(folder: AttemptFolder, least: int) -> Any:
    """For :func:`evict`: so many values were recorded."""
    return lambda: folder.values.exists() and folder.values.read_text().count("\n") >= least


SYSTEM = {"system": "slurm", "grace": 20.0}


def test_an_evicted_training_goes_on_from_its_checkpoint_to_the_same_result(
    tmp_path: Path,
) -> None:
    folder = make_attempt(tmp_path, TRAINING, WAITS, TELLS, evictable=True, **SYSTEM)
    end = evict(folder, steps(folder, 8))
    assert (end["state"], end["reason"]["code"]) == ("evicted", "preempted")
    assert end["evictions"] == 1
    assert end["lost_seconds"] < 5
    (told,) = events(folder, "hooks")
    assert (told["why"], told["called"], told["failed"]) == ("eviction", 1, [])
    again = next_attempt(folder)
    end = run_to_end(again)
    assert (end["state"], end["evictions"], end["lost_seconds"]) == ("succeeded", 1, None)
    resumed, digest = texts(end["output"])[2].split()
    assert int(resumed) >= 8
    assert digest == undisturbed()


def test_a_training_that_nothing_disturbs_gives_that_result_too(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, TRAINING, "train(0)", TELLS)
    end = run_to_end(folder)
    assert texts(end["output"])[2].split() == ["0", undisturbed()]


def test_all_processes_told_at_once_is_the_same(tmp_path: Path) -> None:
    """As Slurm preempts: SIGTERM to the supervisor, the runner and the kernel together."""
    folder = make_attempt(tmp_path, TRAINING, WAITS, TELLS, evictable=True, **SYSTEM)
    process = start_supervisor(folder)
    try:
        wait_for(steps(folder, 8))
        told = tree.descendants(process.pid) | {process.pid}
        assert len(told) >= 3
        for pid in told:
            os.kill(pid, signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    end = read_json(folder.end)
    assert end is not None
    assert (end["state"], end["reason"]["code"]) == ("evicted", "preempted")
    assert end["lost_seconds"] < 5
    assert texts(run_to_end(next_attempt(folder))["output"])[2].split()[1] == undisturbed()


def test_a_supervisor_killed_while_the_job_ends_is_followed_by_one_that_knows_why(
    tmp_path: Path,
) -> None:
    folder = make_attempt(tmp_path, TRAINING, WAITS, TELLS, evictable=True, **SYSTEM)
    process = start_supervisor(folder)
    wait_for(steps(folder, 8))
    process.send_signal(signal.SIGTERM)
    wait_for(folder.stopping.exists)
    process.kill()
    process.wait()
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("evicted", "preempted")
    assert texts(run_to_end(next_attempt(folder))["output"])[2].split()[1] == undisturbed()


@pytest.mark.parametrize(
    ("system", "environ", "ran", "near"),
    [
        ("slurm", 700.0, 250.0, False),  # evicted in its last minutes, not out of time
        ("slurm", 100.0, 250.0, True),
        ("slurm", None, 250.0, True),
        ("slurm", None, 100.0, False),
        ("htcondor", None, 299.0, False),  # its own limit comes before the system's
    ],
)
def test_an_eviction_is_told_from_the_end_of_the_time(
    system: str, environ: float | None, ran: float, near: bool, tmp_path: Path
) -> None:
    folder = make_attempt(tmp_path, "1", time=300, system=system)
    slot = folder.read_slot()
    assert slot is not None
    ends = {} if environ is None else {"SLURM_JOB_END_TIME": f"{time.time() + environ:.0f}"}
    assert limit_is_near(slot, ends, time.monotonic() - ran) is near


def test_the_partial_notebook_holds_what_the_cell_had_printed(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path, "print('so far', flush=True)\nimport time; time.sleep(100)",
        evictable=True, **SYSTEM,
    )  # fmt: skip
    end = evict(folder, lambda: folder.log.exists() and "so far" in folder.log.read_text())
    assert end["state"] == "evicted"
    assert "so far" in texts(folder.notebook)[0]
    assert end["output"] is None  # only the attempt that ends the job publishes


RAISES = """
import mlinfn, time
def bad(): raise OSError("quota")
mlinfn.on_eviction(bad)
mlinfn.on_eviction(lambda: mlinfn.save("kept"))
print("up", flush=True)
time.sleep(100)
"""


def up(folder: AttemptFolder) -> Any:
    return lambda: folder.log.exists() and "up" in folder.log.read_text()


def test_a_hook_that_raises_is_told_and_the_others_are_called(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, RAISES, evictable=True, **SYSTEM)
    assert evict(folder, up(folder))["state"] == "evicted"
    (told,) = events(folder, "hooks")
    assert (told["called"], told["failed"]) == (2, ["OSError: quota"])
    assert "OSError: quota" in folder.log.read_text()
    assert (folder.checkpoints / "checkpoint.pickle").exists()


HANGS = """
import mlinfn, time
mlinfn.on_eviction(lambda: time.sleep(1000))
print("up", flush=True)
time.sleep(100)
"""


def test_a_hook_that_hangs_is_left_behind_in_time(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, HANGS, evictable=True, system="slurm", grace=8.0)
    end = evict(folder, up(folder))
    assert (end["state"], end["reason"]["code"]) == ("evicted", "preempted")
    assert read_json(folder.result) is not None  # the runner ended by itself, not by force
    assert any("hooks did not end" in note["text"] for note in events(folder, "note"))


IGNORES = """
import mlinfn, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
mlinfn.on_eviction(lambda: mlinfn.save("never"))
print("up", flush=True)
while True:
    time.sleep(0.1)
"""


def test_a_cell_that_ignores_the_interrupt_does_not_hold_up_the_end(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, IGNORES, evictable=True, system="slurm", grace=8.0)
    end = evict(folder, up(folder))
    assert end["state"] == "evicted"
    assert any("cell did not stop" in note["text"] for note in events(folder, "note"))
    assert "up" in texts(folder.notebook)[0]


def test_a_cell_that_swallows_one_interrupt_gets_another(tmp_path: Path) -> None:
    code = """
import mlinfn, time
mlinfn.on_eviction(lambda: mlinfn.save("kept"))
print("up", flush=True)
try:
    time.sleep(100)
except KeyboardInterrupt:
    pass
time.sleep(100)
"""
    folder = make_attempt(tmp_path, code, evictable=True, **SYSTEM)
    assert evict(folder, up(folder))["state"] == "evicted"
    assert (folder.checkpoints / "checkpoint.pickle").exists()


def test_who_cancels_wants_no_hook(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, RAISES, evictable=True)
    process = start_supervisor(folder)
    wait_for(up(folder))
    folder.cancel.touch()
    process.wait(30)
    end = read_json(folder.end)
    assert end is not None
    assert (end["state"], end["lost_seconds"]) == ("cancelled", None)
    assert events(folder, "hooks") == []


def test_hooks_are_called_before_the_time_limit(tmp_path: Path) -> None:
    code = """
import mlinfn, time
mlinfn.on_eviction(lambda: print("hook", round(mlinfn.seconds_left()) >= 0, flush=True))
mlinfn.on_eviction(lambda: mlinfn.save("kept"))
print(mlinfn.seconds_left() <= 20, flush=True)
time.sleep(100)
"""
    folder = make_attempt(tmp_path, code, time=20)
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "time-limit")
    assert "continue from the checkpoint" in end["reason"]["text"]
    (told,) = events(folder, "hooks")
    assert told["why"] == "time-limit"
    began = read_json(folder.begun)
    assert began is not None
    called = datetime.fromisoformat(told["at"]) - datetime.fromisoformat(began["at"])
    assert called.total_seconds() < 20  # within its own time, not after it
    assert texts(end["output"]) == ["True\n"]
    assert "hook True" in folder.log.read_text()


def test_code_without_hooks_has_all_its_time(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "1", time=3600)
    slot = folder.read_slot()
    assert slot is not None
    assert time_for_code(slot, folder) == 3600
    folder.hooks.touch()
    assert time_for_code(slot, folder) == 3600 - slot.grace
    assert time_for_code(replace(slot, time=8), folder) == 6


# --- scripts and commands ----------------------------------------------------------------------

SCRIPT = TRAINING + 'print("resumed", resumed_at)\n' + WAITS + TELLS + "\n"


def test_a_script_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, script=SCRIPT, evictable=True, **SYSTEM)
    end = evict(folder, steps(folder, 8))
    assert (end["state"], end["exit_code"]) == ("evicted", 143)
    again = next_attempt(folder)
    assert run_to_end(again)["state"] == "succeeded"
    resumed, digest = again.log.read_text().split()[-2:]
    assert int(resumed) >= 8
    assert digest == undisturbed()


def test_a_script_that_ignores_the_signal_is_ended_in_time(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True); time.sleep(100)"
    )
    folder = make_attempt(tmp_path, script=code, evictable=True, system="slurm", grace=4.0)
    assert evict(folder, up(folder))["state"] == "evicted"
    assert read_json(folder.result) is not None


COMMAND = """
count=0; [ -f "$MLINFN_CHECKPOINTS/count" ] && count=$(cat "$MLINFN_CHECKPOINTS/count")
trap 'echo $count > "$MLINFN_CHECKPOINTS/.new" && mv "$MLINFN_CHECKPOINTS/.new" \
"$MLINFN_CHECKPOINTS/count"; exit 0' TERM
echo up from $count
while [ $count -lt 30 ]; do count=$((count + 1)); sleep 0.1; done
echo done $count
"""


def test_a_plain_command_finds_its_checkpoints_by_the_variable(tmp_path: Path) -> None:
    """It saves and ends politely with exit code 0: there is work left to do all the same."""
    folder = make_attempt(
        tmp_path, kind="command", command=("bash", "-c", COMMAND), evictable=True, **SYSTEM
    )
    assert evict(folder, up(folder))["state"] == "evicted"
    again = next_attempt(folder)
    assert run_to_end(again)["state"] == "succeeded"
    first, *_, last = again.log.read_text().splitlines()
    assert first.startswith("up from ")
    assert first != "up from 0"
    assert last == "done 30"
