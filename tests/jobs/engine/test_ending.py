"""The end of an attempt from what is known, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlinfn.jobs.supervisor.ending import Facts, verdict

GIB = 2**30
DIED = {"state": "failed", "reason": {"code": "kernel-died", "text": "died"}}
ERROR = {"state": "failed", "reason": {"code": "notebook-error", "text": "Cell 1 …"}}


@pytest.mark.parametrize(
    ("facts", "state", "code"),
    [
        ({"result": {"state": "succeeded"}}, "succeeded", None),
        # it had succeeded before the cancel could reach it
        ({"result": {"state": "succeeded"}, "stop": "cancel"}, "succeeded", None),
        ({"result": {"state": "stopped"}, "stop": "cancel"}, "cancelled", "cancelled-by-user"),
        ({"result": None, "stop": "cancel"}, "cancelled", "cancelled-by-user"),
        ({"result": DIED, "stop": "cancel"}, "cancelled", "cancelled-by-user"),
        ({"result": ERROR, "stop": "cancel"}, "failed", "notebook-error"),
        ({"result": {"state": "stopped"}, "stop": "time-limit"}, "failed", "time-limit"),
        ({"result": DIED, "stop": "memory"}, "failed", "out-of-memory"),
        ({"result": DIED, "memory_kills": 1}, "failed", "out-of-memory"),
        ({"result": None, "memory_kills": 1}, "failed", "out-of-memory"),
        ({"result": ERROR, "memory_kills": 1}, "failed", "notebook-error"),
        ({"result": DIED}, "failed", "kernel-died"),
        ({"result": {"state": "stopped"}, "stop": "session"}, "failed", "session-ended"),
        ({"result": None, "no_space": True}, "failed", "disk-full"),
        ({"result": None, "restarted": True}, "failed", "lost"),
        ({"result": None}, "failed", "runner-died"),
        ({"result": None, "begun": False}, "failed", "not-started"),
        ({"result": None, "begun": False, "stop": "cancel"}, "cancelled", "cancelled-by-user"),
    ],
)
def test_every_end_has_its_reason(facts: dict[str, Any], state: str, code: str | None) -> None:
    found = verdict(Facts(**{"begun": True, **facts}))
    assert found.state == state
    assert (found.reason or {}).get("code") == code
    if found.reason:
        assert found.reason["text"]


def test_numbers_have_units() -> None:
    memory = verdict(
        Facts(begun=True, result=DIED, memory_kills=1, asked_memory=2 * GIB, used_memory=3 * GIB)
    )
    assert memory.reason is not None
    assert "2.0 GiB" in memory.reason["text"]
    assert "3.0 GiB" in memory.reason["text"]
    late = verdict(Facts(begun=True, result=None, stop="time-limit", asked_time=5400))
    assert late.reason is not None
    assert "1 h 30 min" in late.reason["text"]
    error = verdict(Facts(begun=True, result=ERROR, memory_kills=2, asked_memory=GIB))
    assert error.reason is not None
    assert error.reason["text"].startswith("Cell 1 …")
    assert "1.0 GiB" in error.reason["text"]
