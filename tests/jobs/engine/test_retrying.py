"""Another attempt by the reason of the last one's end: the machine's fault yes, the code's no."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.batch.taking import end_exhausted
from jupyter_mlinfn.jobs.checkpoints import evictions_before
from jupyter_mlinfn.jobs.retrying import exhausted, runs_again
from tests.jobs.engine.making import (
    make_attempt,
    next_attempt,
    run_to_end,
    start_supervisor,
    wait_for,
)

pytestmark = pytest.mark.slow


def attempts(tmp_path: Path, *ends: dict[str, Any] | None) -> AttemptFolder:
    """Attempts whose code began and that ended so (``None``: without a word), and one more."""
    for number, end in enumerate(ends, 1):
        folder = AttemptFolder(tmp_path / "attempts" / str(number))
        folder.path.mkdir(parents=True)
        folder.begun.touch()
        if end is not None:
            folder.end.write_text(json.dumps(end))
    last = AttemptFolder(tmp_path / "attempts" / str(len(ends) + 1))
    last.path.mkdir(parents=True)
    return last


def over(code: str) -> dict[str, Any]:
    return {"state": "evicted", "reason": {"code": code, "text": "x"}}


@pytest.mark.parametrize(
    ("asked", "code", "before", "told"),
    [
        ({}, "lost", (), None),
        ({}, "notebook-error", (), None),
        ({"evictable": True}, "preempted", (over("preempted"),) * 9, ""),
        ({"evictable": True}, "notebook-error", (), None),
        ({"evictable": True}, "runner-died", (), None),
        ({"retries": 2}, "node-lost", (), "retry 1 of 2"),
        ({"retries": 2}, "preempted", (over("node-lost"),), "retry 2 of 2"),
        ({"retries": 2}, "lost", (over("lost"), over("lost")), None),
        ({"retries": 2}, "lost", (None,), "retry 2 of 2"),
        ({"retries": 2}, "notebook-error", (), None),
        ({"retries": 2}, "cancelled-by-user", (), None),
        ({"retries": 2, "retry_on": ["notebook-error"]}, "notebook-error", (), "retry 1 of 2"),
        ({"retries": 2, "retry_on": ["notebook-error"]}, "kernel-died", (), None),
        # evictions of an evictable job are none of its retries
        (
            {"retries": 1, "evictable": True},
            "runner-died",
            (over("preempted"), over("lost")),
            "retry 1 of 1",
        ),
    ],
)
def test_the_reason_decides(
    tmp_path: Path,
    asked: dict[str, Any],
    code: str,
    before: tuple[dict[str, Any] | None, ...],
    told: str | None,
) -> None:
    words = runs_again(attempts(tmp_path, *before), asked, code)
    assert (words is None) == (told is None)
    assert (told or "") in (words or "")


def test_a_system_may_not_start_a_job_more_often_than_that(tmp_path: Path) -> None:
    last = attempts(tmp_path, None, None)
    assert not exhausted(last, {"evictable": True})
    assert not exhausted(last, {"retries": 2})
    assert exhausted(last, {"retries": 1})
    assert exhausted(last, {})
    (tmp_path / "job.json").write_text(json.dumps({"retries": 2, "resources": {}}))
    assert not end_exhausted(last)
    assert not last.end.exists()
    (tmp_path / "job.json").write_text(json.dumps({"retries": 1, "resources": {}}))
    assert end_exhausted(last)
    end = read_json(last.end)
    assert end is not None
    assert (end["state"], end["reason"]["code"]) == ("failed", "node-lost")


FAILS_ONCE = """
from pathlib import Path
count = Path("count.txt")
count.write_text(count.read_text() + "x" if count.exists() else "x")
assert len(count.read_text()) > 1, "not this time"
"""


def test_an_error_in_the_notebook_is_no_reason_by_itself(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, FAILS_ONCE, asked={"retries": 3})
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "notebook-error")


def test_an_error_that_was_named_is_tried_again(tmp_path: Path) -> None:
    asked = {"retries": 3, "retry_on": ["notebook-error"]}
    folder = make_attempt(tmp_path, FAILS_ONCE, asked=asked)
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("evicted", "notebook-error")
    assert "not this time" in end["reason"]["text"]
    assert "retry 1 of 3" in end["reason"]["text"]
    assert (end["evictions"], end["output"]) == (0, None)
    again = next_attempt(folder)
    assert evictions_before(again) == 0
    end = run_to_end(again)
    assert (end["state"], end["evictions"]) == ("succeeded", 0)


def test_a_machine_that_stops_is_tried_again_as_often_as_was_said(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "import time; time.sleep(1000)", asked={"retries": 1})
    for expected in ("evicted", "failed"):
        process = start_supervisor(folder)
        wait_for(folder.begun.exists)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        end = read_json(folder.end)
        assert end is not None
        assert (end["state"], end["reason"]["code"]) == (expected, "session-ended")
        folder = next_attempt(folder)
