"""What ``mlinfn env`` says: sums, progress, the state that undo goes to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jupyter_mlinfn.cli import env_words
from jupyter_mlinfn.cli.env_following import amount, exit_code, progress
from jupyter_mlinfn.cli.env_history import state_before
from jupyter_mlinfn.cli.env_words import change_rows, show_change, sums, tell_end
from jupyter_mlinfn.cli.environments import state_words
from jupyter_mlinfn.model.environment_answers import EnvironmentHistory, HistoryState
from jupyter_mlinfn.model.environment_tasks import (
    Change,
    PackageChange,
    Task,
    TaskEvent,
    TaskResult,
)
from jupyter_mlinfn.model.environments import CudaFit, Environment
from jupyter_mlinfn.model.errors import Conflict, Problem

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def package(name: str, before: str | None, after: str | None, **more: Any) -> PackageChange:
    return PackageChange(name=name, before=before, after=after, **more)


CHANGE = Change(
    added=(package("b", None, "1"), package("a", None, "2", manager="pip")),
    removed=(package("c", "1", None),),
    changed=(package("d", "1", "2"),),
    download=1536,
    size=2**20,
    files=1,
    note="One thing more.",
)


def task(state: str = "running", event: TaskEvent | None = None, **result: Any) -> Task:
    ended = None
    if state != "running":
        ended = TaskResult.model_validate(
            {"state": state, "ended_at": NOW, "text": "It ended.", **result}
        )
    return Task.model_validate(
        {
            "id": "0" * 16, "action": "create", "name": "x", "preview": False, "state": state,
            "started_at": NOW, "event": event, "result": ended,
        }
    )  # fmt: skip


def step(phase: str, done: int = 0, total: int = 0, unit: str = "") -> TaskEvent:
    return TaskEvent.model_validate(
        {"at": NOW, "phase": phase, "done": done, "total": total, "unit": unit}
    )


def test_what_changes_comes_before_what_goes_and_comes() -> None:
    assert [row[:2] for row in change_rows(CHANGE)] == [
        ("~", "d"), ("-", "c"), ("+", "a (pip)"), ("+", "b"),
    ]  # fmt: skip


def test_sums() -> None:
    assert sums(CHANGE) == (
        "2 added, 1 removed, 1 changed. Download 1.5 KiB. Then 1.0 MiB in 1 file."
    )
    assert sums(Change()) == "No package changes."


def test_a_long_list_is_cut_and_that_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env_words, "SHOWN", 3)
    show_change(CHANGE)
    said = capsys.readouterr().out
    assert "and 1 more package" in said
    assert "One thing more." in said


def test_names_cannot_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_change(Change(added=(package("\x1b[2Jevil", None, "1"),)))
    assert "\x1b[2J" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (step("linking", 12, 59, "packages"), "12 of 59 packages"),
        (step("downloading", 1536, 2**20, "bytes"), "1.5 KiB of 1.0 MiB"),
        (step("packing", 1200, 18871, "files"), "1,200 of 18,871 files"),
        (step("solving"), ""),
    ],
)
def test_how_far_it_is(event: TaskEvent, expected: str) -> None:
    assert amount(event) == expected


def test_every_phase_is_one_line_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as show:
        show(task())
        for done in range(3):
            show(task(event=step("linking", done, 3, "packages")))
        show(task(event=step("finishing")))
    assert capsys.readouterr().err == "Installing 3 packages …\nFinishing …\n"


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        (task("succeeded"), 0),
        (task("failed", exit_code=2), 2),
        (task("failed"), 1),
        (task("interrupted", exit_code=1), 1),
        (task("cancelled", exit_code=130), 130),
        (task("running"), 130),
    ],
)
def test_exit_codes(ended: Task, code: int) -> None:
    assert exit_code(ended) == code


def test_a_failure_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    problems = (
        Problem(code="a", text="It ended.", hint="Try again."),
        Problem(code="b", text="Another thing.", hint="Try again."),
    )
    tell_end(task("failed", text="It ended. Nothing was changed.", problems=problems))
    said = capsys.readouterr()
    assert said.out == ""
    assert [said.err.count(text) for text in ("It ended.", "Try again.", "Another thing.")] == [
        1, 1, 1,
    ]  # fmt: skip


def past(*steps: tuple[str, str]) -> EnvironmentHistory:
    """A history, oldest first, of (action, digest)."""
    states = [
        HistoryState.model_validate({"action": action, "digest": digest, "at": NOW, "text": "x"})
        for action, digest in steps
    ]
    return EnvironmentHistory(name="x", states=tuple(reversed(states)))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("create", "a"), ("change", "b")], "a"),
        ([("create", "a"), ("change", "b"), ("change", "c"), ("restore", "b")], "a"),
        ([("create", "a"), ("change", "b"), ("restore", "a"), ("change", "c")], "a"),
        ([("create", "a"), ("change", "b"), ("restore", "a"), ("restore", "b")], "a"),
        ([("clone", "a"), ("change", "b"), ("change", "a"), ("restore", "b")], "a"),
    ],
)
def test_undo_goes_back_and_not_to_and_fro(steps: list[tuple[str, str]], expected: str) -> None:
    assert state_before(past(*steps)).digest == expected


@pytest.mark.parametrize(
    "steps", [[("create", "a")], [("create", "a"), ("change", "b"), ("restore", "a")]]
)
def test_before_the_first_state_there_is_none(steps: list[tuple[str, str]]) -> None:
    with pytest.raises(Conflict) as caught:
        state_before(past(*steps))
    assert caught.value.code == "no-earlier-state"


def test_what_the_list_says_of_a_state() -> None:
    row = Environment(name="x", source="conda")
    assert state_words(row) == "–"
    unfit = CudaFit(state="not-compatible", text="x")
    assert state_words(row.model_copy(update={"digest": "d", "packed": True, "cuda": unfit})) == (
        "locked, packed, CUDA does not fit"
    )
