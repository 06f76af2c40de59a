"""What ends a running job before its time: cancel, limits, a full disk, the session's end."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import read_json
from jupyter_mlinfn.process import tree
from tests.jobs.engine.making import make_attempt, run_to_end, start_supervisor, texts, wait_for

pytestmark = pytest.mark.slow


def start_daemons(count: int) -> str:
    """Code that starts daemons by double fork with a new session, as backends.md measured."""
    return (
        "import os, time, pathlib\n"
        f"for number in range({count}):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            pathlib.Path(f'daemon-{number}').write_text(str(os.getpid()))\n"
        "            os.execvp('sleep', ['sleep', '1000'])\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )


def daemons(work: Path, count: int) -> list[int]:
    """Their process ids, once all have started."""
    files = [work / f"daemon-{number}" for number in range(count)]
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))
    return [int(file.read_text()) for file in files]


def test_cancel_ends_daemons_too_and_keeps_the_output(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, start_daemons(5) + "print('up', flush=True)\ntime.sleep(1000)")
    process = start_supervisor(folder)
    found = daemons(tmp_path / "work", 5)
    wait_for(lambda: "up" in folder.log.read_text())
    folder.cancel.touch()
    process.wait(30)
    assert not set(found) & set(tree.living())
    end = read_json(folder.end)
    assert end is not None
    assert (end["state"], end["reason"]["code"]) == ("cancelled", "cancelled-by-user")
    assert "up" in texts(end["output"])[0]


def test_daemons_do_not_outlive_a_job_that_succeeded(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, start_daemons(2))
    assert run_to_end(folder)["state"] == "succeeded"
    assert not set(daemons(tmp_path / "work", 2)) & set(tree.living())


def test_cancel_before_the_start_runs_nothing(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "1")
    folder.cancel.touch()
    end = run_to_end(folder)
    assert (end["state"], end["output"]) == ("cancelled", None)
    assert not folder.runner.exists()


def test_a_cancelled_cell_may_clean_up(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        "import time, pathlib\npathlib.Path('up').touch()\n"
        "try: time.sleep(1000)\nfinally: pathlib.Path('cleaned').touch()",
    )
    process = start_supervisor(folder)
    wait_for((tmp_path / "work" / "up").exists)
    folder.cancel.touch()
    process.wait(30)
    assert (tmp_path / "work" / "cleaned").exists()


def test_the_time_limit_ends_the_job(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "print('so far', flush=True)\nwhile True: pass", time=3)
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "time-limit")
    assert "3 s" in end["reason"]["text"]
    assert "so far" in texts(end["output"])[0]


HUNGRY = "print('so far', flush=True)\nkept = []\nwhile True: kept.append(b'x' * 10_000_000)\n"


@pytest.mark.parametrize("kept_by", ["whoever can", "the supervisor alone"])
def test_memory_over_the_limit_is_told_as_such(
    tmp_path: Path, kept_by: str, request: pytest.FixtureRequest
) -> None:
    folder = make_attempt(tmp_path, HUNGRY, memory=300 * 2**20)
    if kept_by == "the supervisor alone":
        # a predecessor's supervisor.json names the groups; an empty list means none can be had
        from jupyter_mlinfn.process.identity import this_machine

        about = {"machine": this_machine().as_dict(), "groups": ["/sys/nowhere/group"]}
        folder.supervisor.write_text(json.dumps(about))
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "out-of-memory"), end
    assert "300.0 MiB" in end["reason"]["text"]
    assert "so far" in texts(end["output"])[0]


def test_a_full_disk_in_the_notebook_is_told_as_such(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "raise OSError(28, 'No space left on device')")
    assert run_to_end(folder)["reason"]["code"] == "disk-full"


def test_told_to_stop_ends_as_session_ended_or_waits_again(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "import time; time.sleep(1000)")
    process = start_supervisor(folder)
    wait_for(folder.begun.exists)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    end: dict[str, Any] | None = read_json(folder.end)
    assert end is not None
    assert (end["state"], end["reason"]["code"]) == ("failed", "session-ended")
