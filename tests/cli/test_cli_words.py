"""Words and tables: what people read, and that text from elsewhere stays inert."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.cli import records, terminal, waiting
from jupyter_mlinfn.cli.gpus import gpus_table, holder_words, in_order, signal_words
from jupyter_mlinfn.cli.requests import exit_code_of, validated
from jupyter_mlinfn.cli.submit import build_request, submit
from jupyter_mlinfn.model.accelerators import (
    Accelerator,
    GpuSnapshot,
    Holder,
    Memory,
    MigShape,
    Signal,
)
from jupyter_mlinfn.model.environment_tasks import LockPlatforms, Restore
from jupyter_mlinfn.model.errors import InputError, Problem
from jupyter_mlinfn.model.jobs import (
    EnvironmentName,
    JobRecord,
    JobRequest,
    Progress,
    Reason,
    Resources,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def job(**changes: Any) -> JobRecord:
    known: dict[str, Any] = {
        "id": "abcdefghij",
        "name": "fit.ipynb",
        "kind": "notebook",
        "state": "running",
        "backend": "local",
        "environment": EnvironmentName(name="python3"),
        "resources": Resources(),
        "source": "/home/anna/fit.ipynb",
        "output_folder": "/home/anna/results/fit-abcdefghij",
        "submitted_at": NOW,
    }
    return JobRecord(**{**known, **changes})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (0, "just now"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (86400 * 3, "3 d ago"),
    ],
)
def test_relative_times(seconds: int, words: str) -> None:
    assert records.ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_an_old_time_is_a_date() -> None:
    assert records.ago(NOW - timedelta(days=30), NOW).startswith("2026-01-")


def test_silence_is_said_beside_the_state() -> None:
    silent = job(unknown_since=NOW, progress=Progress(cells_done=1, cells_total=3))
    assert records.state_text(silent).plain == "? running"
    assert records.what_happens(silent).startswith("unknown since ")
    assert records.what_happens(silent).endswith(" · cell 2/3")


def test_cancelling_is_said_until_the_job_has_ended() -> None:
    assert records.state_words(job(cancelling=True)) == "cancelling"
    assert records.state_words(job(cancelling=True, state="cancelled")) == "cancelled"


def test_progress_counts_the_cell_at_work_and_shows_recorded_values() -> None:
    progress = Progress(cells_done=6, cells_total=12, values={"epoch": 3}, last_line="x")
    assert records.what_happens(job(progress=progress)) == "cell 7/12 · epoch=3"
    last = Progress(cells_done=12, cells_total=12, last_line="done")
    assert records.what_happens(job(progress=last)) == "cell 12/12 · done"


def test_a_reason_counts_more_than_progress() -> None:
    reason = Reason(code="out-of-memory", text="Out of memory: asked 8 GiB, used 8.0.")
    record = job(state="failed", reason=reason, progress=Progress(cells_done=1, cells_total=2))
    assert records.what_happens(record) == reason.text


@pytest.mark.parametrize("state", list(records.MARKS))
def test_every_state_has_a_mark_and_its_word(state: Any) -> None:
    assert records.state_text(job(state=state)).plain.endswith(state)


HOSTILE = "\x1b]8;;http://evil\x07\x1b[2Jname\r\n\u202egpj.exe\x9b31m [red]x[/red]"


def test_a_hostile_name_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(records.jobs_table([job(name=HOSTILE)]))
    said = capsys.readouterr().out
    assert not set(said) & set("\x1b\x9b\r\x07\u202e")
    assert len(said.splitlines()) == 2
    terminal.show(records.jobs_table([job(name="[red]x[/red]")]))
    assert "[red]x[/red]" in capsys.readouterr().out


def test_a_log_keeps_its_colours_and_loses_every_other_command() -> None:
    text = "\x1b[31mred\x1b[0m\ta\r\n\x1b[2J\x1b[1;1H\x1b]8;;http://evil\x1b\\link\x1bc\x07\x9b1A"
    assert terminal.calm(text) == "\x1b[31mred\x1b[0m\ta\r\nlink1A"


def test_json_is_ascii_and_has_null_for_what_json_cannot_write(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.emit({"a": [float("nan"), float("inf"), 1.5], "b": {"c": -float("inf")}, "d": "ü\n"})
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == {"a": [None, None, 1.5], "b": {"c": None}, "d": "ü\n"}


def test_nothing_is_cut_off_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    text = "A reason that takes many words. " * 10
    terminal.show(records.jobs_table([job(reason=Reason(code="lost", text=text))]))
    said = capsys.readouterr().out
    assert text.strip() in said
    assert all(line == line.rstrip() for line in said.splitlines())


def test_a_terminal_that_knows_no_unicode_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    from jupyter_mlinfn.cli.main import main

    assert main(["--help"]) == 0
    terminal.show(records.jobs_table([job(name="поток")]))
    sys.stdout.flush()
    assert b"????" in raw.getvalue()


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        ("succeeded", None, 0),
        ("failed", "notebook-error", 1),
        ("failed", "out-of-memory", 1),
        ("cancelled", "cancelled-by-user", 1),
        ("failed", "environment-missing", 3),
        ("failed", "environment-mismatch", 4),
        ("failed", "bundle-damaged", 4),
    ],
)
def test_how_a_job_ended_is_the_exit_code(state: Any, reason: Any, code: int) -> None:
    why = Reason(code=reason, text="x") if reason else None
    assert waiting.exit_code(job(state=state, reason=why)) == code


def test_what_can_be_corrected_decides_the_exit_code_of_a_draft() -> None:
    wrong = Problem(code="bad-parameter", text="x")
    gone = Problem(code="environment-missing", text="x")
    assert exit_code_of([wrong]) == 2
    assert exit_code_of([gone]) == 3
    assert exit_code_of([wrong, gone]) == 2


def test_an_empty_name_is_that_of_the_file(tmp_path: Path) -> None:
    with submit.make_context("submit", ["fit.ipynb", "--name", ""]) as typed:
        assert build_request(tmp_path / "fit.ipynb", typed.params).name is None


def test_every_field_that_cannot_be_used_is_named() -> None:
    with pytest.raises(InputError) as raised:
        validated(JobRequest, source="", name="n" * 300)
    assert {problem.field for problem in raised.value.problems} == {"source", "name"}


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"resources": {"memory": 3}}, "memory: 1.0 MiB is the least; write a unit: 8GiB."),
        ({"resources": {"gpu_memory": 8}}, "gpu_memory: 1.0 MiB is the least; write a unit: 8GiB."),
        ({"retries": -1}, "retries: 0 is the least."),
        ({"retries": 21}, "retries: 20 is the most."),
        ({"name": "n" * 201}, "name: 200 characters are the most."),
        ({"after": ("abcdefghij",) * 101}, "after: 100 are the most."),
        ({"notify": ("me",)}, "notify: write lab, mail, or an address that begins with https://."),
        ({"secrets": ("my key",)}, "secrets: a name begins with a letter"),
        ({"resources": {"gpu_model": "A;B"}}, "gpu_model: a model has letters"),
        ({"queue": "a b"}, "queue: no name has these characters."),
    ],
)
def test_what_a_field_may_be_is_said_for_people(wish: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as raised:
        validated(JobRequest, source="fit.ipynb", **wish)
    assert raised.value.text.startswith(words)
    assert len(raised.value.problems) == 1


def test_what_is_asked_of_environments_is_said_for_people() -> None:
    for model, wish in (
        (LockPlatforms, {"name": "mine", "platforms": ("linux",)}),
        (Restore, {"name": "mine", "digest": "newest"}),
    ):
        with pytest.raises(InputError) as raised:
            validated(model, **wish)
        told = " ".join(problem.text for problem in raised.value.problems)
        assert "such as linux-64" in told or "8 to 64 of 0-9 and a-f" in told
        assert "String" not in told
        assert "Tuple" not in told


GPU = Accelerator(
    uuid="GPU-1",
    index=0,
    name="A100 80GB",
    cut=True,
    memory=Memory(total=80 * 2**30, used=2**30),
    signal=Signal(state="busy", measurement="utilisation", percent=83),
)
SLICE = Accelerator(
    uuid="MIG-1",
    index=0,
    name="A100 80GB",
    parent="GPU-1",
    mig=MigShape(profile="1g.10gb", gpu_instance=7, compute_instance=0),
    holders=(
        Holder(kind="kernel", title="train.ipynb", mine=True),
        Holder(kind="outside", title=""),
        Holder(kind="process", title="python", user="mario"),
        Holder(kind="process", title="late"),
    ),
)


def test_slices_stand_below_their_gpu_and_orphans_are_not_lost() -> None:
    orphan = SLICE.model_copy(update={"uuid": "MIG-2", "parent": "GPU-9"})
    snapshot = GpuSnapshot(accelerators=(SLICE, orphan, GPU))
    assert [device.uuid for device in in_order(snapshot)] == ["GPU-1", "MIG-1", "MIG-2"]


def test_what_is_not_known_is_a_dash_never_zero(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(gpus_table(GpuSnapshot(accelerators=(SLICE,))))
    row = capsys.readouterr().out.splitlines()[1]
    assert "unknown" in row
    assert row.count("–") == 3
    assert " 0 " not in row.replace("  0/7 ", "", 1)


def test_holders_are_named_with_whose_they_are() -> None:
    assert holder_words(SLICE) == (
        "train.ipynb (you), outside this container, python (mario) and 1 more"
    )
    assert holder_words(SLICE.model_copy(update={"holders": ()})) == "free"


def test_a_silent_device_says_since_when() -> None:
    assert signal_words(GPU.model_copy(update={"cut": False})) == "busy 83 %"
    silent = GPU.model_copy(update={"state": "silent", "taken_at": NOW})
    assert signal_words(silent).startswith("silent since ")
    assert signal_words(GPU.model_copy(update={"state": "lost"})) == "lost"
