"""What changed is enough: the agent's lines, put together and drawn, are what the source said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.gpus.agent import Agent
from jupyter_mlinfn.gpus.holders import Knowledge
from jupyter_mlinfn.gpus.processes import ProcessReader
from jupyter_mlinfn.gpus.reading import AgentFeed, DeviceReading, Reading
from jupyter_mlinfn.gpus.snapshot import Pictures, to_snapshot
from jupyter_mlinfn.gpus.source import DeviceRow, FactsRow, unknown_row
from jupyter_mlinfn.model.accelerators import Accelerator, GpuSnapshot

MIB = 2**20

processes = st.lists(
    st.fixed_dictionaries(
        {
            "pid": st.integers(2**22 + 1, 2**22 + 3),
            "memory": st.none() | st.integers(0, 9).map(lambda n: n * 200 * MIB),
            "gi": st.just(7),
        }
    ),
    max_size=2,
)


@st.composite
def rows(draw: st.DrawFn, name: str, parent: str | None) -> DeviceRow:
    row: dict[str, Any] = {**unknown_row(name, draw(st.integers(0, 1)), "A100")}
    row["parent"], row["cut"] = parent, parent is None
    row["mig"] = parent and {"profile": "1g", "gpu_instance": 7, "compute_instance": 0}
    row["state"] = draw(st.sampled_from(["ok", "lost"]))
    row["total"] = draw(st.sampled_from([None, 8000 * MIB]))
    row["used"] = draw(st.sampled_from([None, 0, 2000 * MIB]))
    row["percent"] = draw(st.sampled_from([None, 0.0, 50.0]))
    row["measurement"] = None if row["percent"] is None else "gpm"
    row["power"] = draw(st.sampled_from([None, 61.5]))
    row["processes"] = draw(st.none() | processes)
    return cast(DeviceRow, row)


@st.composite
def samples(draw: st.DrawFn) -> list[DeviceRow]:
    instances = draw(st.lists(st.sampled_from(["MIG-1", "MIG-2", "MIG-3"]), unique=True))
    return [draw(rows("GPU-1", None)), *(draw(rows(name, "GPU-1")) for name in instances)]


class Said:
    """A source that says what it is told to."""

    def __init__(self) -> None:
        self.facts: FactsRow = {"driver": "570", "nvml": None, "cuda": None}
        self.rows: list[DeviceRow] = []

    def open(self) -> int:
        return 1

    def check(self) -> None:
        """Nothing changed."""

    def read(self, index: int) -> list[DeviceRow]:
        return self.rows


@pytest.fixture
def feed() -> Iterator[AgentFeed]:
    feed = AgentFeed(["cat"])
    yield feed
    feed.abandon()


def line_of(agent: Agent) -> bytes:
    document = agent.sample()
    assert document is not None
    return json.dumps(document).encode()


def timeless(snapshot: GpuSnapshot) -> list[Accelerator]:
    """A lost device keeps the time at which it was first drawn so."""
    return [one.model_copy(update={"taken_at": None}) for one in snapshot.accelerators]


@given(st.lists(samples(), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_lines_together_are_what_the_source_said(said: list[list[DeviceRow]]) -> None:
    source = Said()
    agent = Agent(source, ProcessReader("/nowhere", namespace="same"), deadline=30)
    feed = AgentFeed(["cat"])
    pictures = Pictures()
    try:
        for source.rows in said:
            reading = feed.complete(line_of(agent))
            assert reading is not None
            plain = [DeviceReading.model_validate(row) for row in source.rows]
            assert [one.model_dump() for one in reading.devices] == [
                one.model_dump() for one in plain
            ]
            # Drawn after all those before it, it is what it is when drawn alone.
            alone = to_snapshot(reading.model_copy(update={"devices": plain}), Knowledge(uid=1))
            assert timeless(pictures.draw(reading, Knowledge(uid=1))) == timeless(alone)
    finally:
        feed.abandon()


def test_holders_are_drawn_anew_when_somebody_else_asks_or_people_change(feed: AgentFeed) -> None:
    source, pictures = Said(), Pictures()
    row = unknown_row("GPU-1", 0, "T4")
    row["total"], row["used"] = 8000 * MIB, 2000 * MIB
    row["processes"] = [{"pid": 70, "memory": 2000 * MIB, "gi": 0}]
    source.rows = [row]
    agent = Agent(source, ProcessReader("/nowhere", namespace="same"), deadline=30)
    reading = feed.complete(line_of(agent))
    assert reading is not None

    def title(reading: Reading, knowledge: Knowledge) -> str:
        (holder,) = pictures.draw(reading, knowledge).accelerators[0].holders
        return holder.title

    person = {"uid": 1, "name": "python train.py", "user": "anna", "job": "j1"}
    known = Reading.model_validate({**reading.model_dump(), "people": {70: person}})
    assert (
        title(reading.model_copy(update={"people": {}}), Knowledge()) == "a process you cannot see"
    )
    assert title(known, Knowledge(uid=2)) == "python train.py"
    assert title(known, Knowledge(uid=1)) == "job j1"
    assert title(known, Knowledge(uid=1, jobs={"j1": "training"})) == "training"


def test_after_a_lost_line_nothing_is_told(feed: AgentFeed) -> None:
    source = Said()
    agent = Agent(source, ProcessReader("/nowhere", namespace="same"), deadline=30)
    row = unknown_row("GPU-1", 0, "T4")
    lines = []
    for percent in (10.0, 20.0, 30.0):
        source.rows = [{**row, "percent": percent}]
        lines.append(line_of(agent))
    first = feed.complete(lines[0])
    assert first is not None
    assert feed.complete(b"a library speaks in the middle of " + lines[1]) is None
    assert not feed.ended, "another program's words alone are no loss"
    assert feed.complete(lines[2]) is None
    assert feed.ended
