"""Handing a job over once, also where a power cut took the word before the call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.handing import Handing, Note
from jupyter_mlinfn.jobs.sweeps.handing import Array, ArrayHanding, Arrays
from jupyter_mlinfn.model.jobs import JobSpec
from tests.jobs.workplace import make_spec

LONG_AGO = datetime.now(UTC) - timedelta(minutes=2)


class System:
    """A batch system that has what it was given, and says so when it is asked."""

    title = "The farm"

    def __init__(self) -> None:
        self.there: dict[str, str] = {}
        self.asked: list[str] = []

    def largest(self) -> tuple[int, int]:
        return 10, 10

    def prepare(self, spec: JobSpec) -> None:
        pass

    def give(self, spec: JobSpec, folder: Path, array: Array, token: str, after: str | None) -> str:
        self.asked.append(f"give {token[-1]}")
        self.there[token] = f"n{token[-1]}"
        return self.there[token]

    def find(self, spec: JobSpec, token: str) -> str | None:
        self.asked.append(f"find {token[-1]}")
        return self.there.get(token)


@pytest.mark.parametrize("new", [True, False])
def test_a_job_without_a_word_is_looked_for_when_it_is_not_new(tmp_path: Path, new: bool) -> None:
    asked: list[str] = []

    def find() -> str | None:
        asked.append("find")
        return "7"

    def submit() -> str:
        asked.append("submit")
        return "8"

    at = datetime.now(UTC) if new else LONG_AGO
    number = Handing("farm", "The farm").once(tmp_path, find, submit, submitted_at=at)
    assert (number, asked) == (("8", ["submit"]) if new else ("7", ["find"]))
    assert Handing("farm", "The farm").note(tmp_path).id == number


def test_the_word_is_there_before_the_call(tmp_path: Path) -> None:
    handing = Handing("farm", "The farm")
    seen: list[Note] = []

    def submit() -> str:
        seen.append(handing.note(tmp_path))
        return "8"

    assert handing.once(tmp_path, lambda: None, submit, submitted_at=datetime.now(UTC)) == "8"
    assert (seen[0].tried_at > 0, seen[0].answered) == (True, False)


@pytest.mark.parametrize("left", ["nothing", "the plan", "half a line"])
def test_arrays_whose_word_is_lost_are_looked_for_when_the_sweep_is_not_new(
    tmp_path: Path, left: str
) -> None:
    system = System()
    spec = make_spec(points=15, submitted_at=LONG_AGO)
    system.there[f"{spec.token}.0"] = "n0"
    plan = Arrays(arrays=[Array(offset=0, points="0-9"), Array(offset=10, points="10-14")])
    if left == "the plan":
        (tmp_path / "arrays.json").write_text(plan.model_dump_json())
    elif left == "half a line":
        (tmp_path / "arrays.json").write_text(plan.model_dump_json()[:40])
    note = ArrayHanding(system).submit(spec, tmp_path)
    assert note.ids == ["n0", "n1"]
    assert system.asked == ["find 0", "find 1", "give 1"]


def test_a_new_sweep_is_handed_over_without_a_look(tmp_path: Path) -> None:
    system = System()
    spec = make_spec(points=15, submitted_at=datetime.now(UTC))
    assert ArrayHanding(system).submit(spec, tmp_path).ids == ["n0", "n1"]
    assert system.asked == ["give 0", "give 1"]
