"""``record()``, in and outside of a job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jupyter_mlinfn.magics import shim_folder
from jupyter_mlinfn.magics.shim import mlinfn


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a job's second attempt."""
    folder = tmp_path / "jobs" / "aaaaaaaaaa" / "attempts" / "2"
    folder.mkdir(parents=True)
    monkeypatch.setenv("MLINFN_JOB_DIR", str(folder))
    return folder


def lines(attempt: Path) -> list[dict[str, object]]:
    text = (attempt / "values.jsonl").read_text()
    return [json.loads(line, parse_constant=pytest.fail)["values"] for line in text.splitlines()]


def test_outside_a_job_nothing_is_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLINFN_JOB_DIR", raising=False)
    assert mlinfn.record(epoch=1, loss=0.5) == {"epoch": 1, "loss": 0.5}
    assert list(here.iterdir()) == []


def test_values_become_lines_of_json(attempt: Path) -> None:
    mlinfn.record(epoch=1, loss=0.25, name="ü\ud800", done=True, nothing=None)
    mlinfn.record({"a key": [1, (2, 3)]}, epoch=2)
    assert lines(attempt) == [
        {"epoch": 1, "loss": 0.25, "name": "ü\ud800", "done": True, "nothing": None},
        {"a key": [1, [2, 3]], "epoch": 2},
    ]


def test_numbers_of_numpy_become_plain_numbers(attempt: Path) -> None:
    mlinfn.record(
        a=np.float32(0.5), b=np.int64(7), c=np.bool_(True), d=np.array([3]), e=np.float64("nan")
    )
    assert lines(attempt) == [{"a": 0.5, "b": 7, "c": True, "d": 3, "e": "nan"}]


def test_what_json_cannot_hold_becomes_text(attempt: Path) -> None:
    endless: list[object] = []
    endless.append(endless)
    mlinfn.record(a=float("inf"), b=Path("/x"), c=np.arange(3), d="x" * 5000, e=endless)
    (kept,) = lines(attempt)
    assert (kept["a"], kept["b"], kept["c"]) == ("inf", "/x", "[0 1 2]")
    assert kept["d"] == "x" * 1000
    assert "e" in kept


def test_a_full_disk_is_a_warning(attempt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLINFN_JOB_DIR", str(attempt / "gone"))
    with pytest.warns(UserWarning, match="could not be recorded"):
        assert mlinfn.record(epoch=1) == {"epoch": 1}


def test_lines_of_several_processes_never_mix(attempt: Path) -> None:
    code = (
        f"import sys; sys.path.append({str(shim_folder())!r})\n"
        "import mlinfn\n"
        "for i in range(300): mlinfn.record(who=sys.argv[1], i=i, pad='x' * 900)"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "abcd"]
    assert [program.wait() for program in programs] == [0] * 4
    found = lines(attempt)
    assert len(found) == 1200
    assert [line["i"] for line in found if line["who"] == "c"] == list(range(300))
