"""The stand-in for libnvidia-ml.so.1, loaded by the real nvidia-ml-py in the real agent."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.gpus.reading import AgentFeed, DeviceReading, Reading
from jupyter_mlinfn.gpus.simulated.library import library
from jupyter_mlinfn.gpus.simulated.state import (
    CALLS_VARIABLE,
    STATE_VARIABLE,
    Card,
    Instance,
    Process,
    State,
)
from jupyter_mlinfn.process.feed import collect

ROW = struct.Struct("56sQ")


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile the stand-in, once a variant; the variants differ in the symbols they lack."""
    folder = tmp_path_factory.mktemp("nvml")
    return lambda omit=(): library(folder, omit)


class FakeDriver:
    """A driver that says what ``state`` says, for every process started from here on."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, compiled: Callable[..., Path]
    ) -> None:
        self.folder = folder
        self.patch = patch
        self.compiled = compiled
        self.state = State()
        patch.setenv(STATE_VARIABLE, str(folder / "state"))
        patch.setenv(CALLS_VARIABLE, str(folder / "calls"))
        self.install()
        self.write()

    def install(self, omit: Sequence[str] = ()) -> None:
        self.patch.setenv("LD_LIBRARY_PATH", str(self.compiled(tuple(omit)).parent))

    def remove(self) -> None:
        self.patch.delenv("LD_LIBRARY_PATH")

    def write(self, *cards: Card) -> None:
        if cards:
            self.state.cards = list(cards)
        self.state.write(self.folder / "state")

    def calls(self) -> dict[str, int]:
        """How often each function was called, by all processes."""
        path = self.folder / "calls"
        rows = ROW.iter_unpack(path.read_bytes()) if path.exists() else ()
        return {name.rstrip(b"\0").decode(): n for name, n in rows if n}


@pytest.fixture
def driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: Callable[..., Path]
) -> FakeDriver:
    return FakeDriver(tmp_path, monkeypatch, compiled)


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the library, also where the tests run on one that has it."""
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr("jupyter_mlinfn.gpus.snapshot.library_may_exist", lambda: False)
    monkeypatch.setattr("jupyter_mlinfn.gpus.sampler.library_may_exist", lambda: False)


@pytest.fixture
def agent() -> Iterator[Callable[..., AgentFeed]]:
    """Start the agent; every one of them is ended after the test."""
    feeds: list[AgentFeed] = []

    def start(*arguments: str, prefix: Sequence[str] = ()) -> AgentFeed:
        program = [sys.executable, "-I", "-m", "jupyter_mlinfn.gpus.agent", *arguments]
        feeds.append(AgentFeed([*prefix, *program]))
        return feeds[-1]

    yield start
    for feed in feeds:
        feed.abandon()


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    deadline = 100
    while (left := collect()) and deadline:
        deadline -= 1
        os.sched_yield()
        import time

        time.sleep(0.02)
    assert not left, "an agent outlived its test"


def reading_of(feed: AgentFeed, seconds: float = 20) -> Reading:
    line = feed.wait_for_line(seconds)
    assert line is not None, "the agent said nothing"
    reading = feed.complete(line)
    assert reading is not None, line
    return reading


def until(feed: AgentFeed, condition: Callable[[Reading], bool], readings: int = 200) -> Reading:
    """The first reading for which ``condition`` holds."""
    for _ in range(readings):
        reading = reading_of(feed)
        if condition(reading):
            return reading
    raise AssertionError(f"never came: last {json.dumps(reading.model_dump(mode='json'))[:2000]}")


def by_uuid(reading: Reading) -> dict[str, DeviceReading]:
    return {one.uuid: one for one in reading.devices}


def a100(at: int = 0, slices: int = 7, pids: Sequence[int] = (), **more: Any) -> Card:
    """An A100 (or, with gpm, a later one) cut into ``slices``; ``pids`` on the first of them."""
    utils = more.pop("utils", [None] * slices)
    instances = [
        Instance(
            slot=n,
            uuid=f"MIG-{at:04d}-{n}",
            gi=7 + n,
            used_mib=4000 + n if n < len(pids) else 12,
            util=utils[n],
        )
        for n in range(slices)
    ]
    processes = [Process(pid, 3900 + n, gi=7 + n) for n, pid in enumerate(pids)]
    return Card(
        uuid=f"GPU-{at:04d}", mig=True, util=None, instances=instances, processes=processes, **more
    )


def t4(at: int = 0, pids: Sequence[int] = (), **more: Any) -> Card:
    values: dict[str, Any] = {
        "uuid": f"GPU-T4-{at}",
        "name": "Tesla T4",
        "memory_mib": 15360,
        "used_mib": 2048 if pids else 3,
        "util": 83 if pids else 0,
        "power_mw": 61_500,
        "limit_mw": 70_000,
        "temperature": 56,
        "mig": None,
        "processes": [Process(pid, 2000) for pid in pids],
    }
    return Card(**(values | more))
