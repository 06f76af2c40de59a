"""The agent of a GPU host: the real program on simulated devices, and what a reading becomes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.gpus.reading import DeviceReading, ProcessReading, Reading
from jupyter_mlinfn.gpus.simulated.scene import SLICES
from jupyter_mlinfn.gpus.snapshot import missing_reading
from jupyter_mlinfn.hub.reclaim.containers import Containers
from jupyter_mlinfn.hub.reclaim.host import Host
from jupyter_mlinfn.hub.reclaim.samples import HostSample
from jupyter_mlinfn.process.feed import LineFeed, collect

ID = "b" * 64


def reading(namespace: str) -> Reading:
    processes = (ProcessReading(pid=os.getpid(), memory=2**30),)
    devices = (
        DeviceReading(uuid="GPU-1", index=0, name="T4", percent=0.0, measurement="utilisation",
                      used=2**30, processes=processes),
        DeviceReading(uuid="GPU-2", index=1, name="A100", used=2**30),
    )  # fmt: skip
    return Reading.model_validate(
        {"time": 0.0, "boot": 0.0, "facts": {}, "namespace": namespace}
    ).model_copy(update={"devices": devices})


def host() -> Host:
    return Host(Containers(read=lambda pid, name: f"0::/docker/{ID}\n", words=lambda *_: []))


def test_a_reading_becomes_states_and_containers() -> None:
    sample = host().sample(reading("same"))
    first, second = sample.devices
    assert (first.state, first.measurement) == ("idle", "utilisation")
    assert [one.id for one in first.containers] == [ID]
    assert (second.state, second.containers) == ("unknown", ())
    assert HostSample.model_validate_json(sample.model_dump_json()) == sample


def test_numbers_of_another_namespace_name_nobody() -> None:
    assert host().sample(reading("different")).devices[0].containers == ()


@pytest.mark.parametrize(
    ("read", "code"), [(None, "silent"), (missing_reading("no-library", "none"), "no-library")]
)
def test_no_answer_is_no_idle_device(read: Reading | None, code: str) -> None:
    sample = host().sample(read)
    assert sample.missing is not None
    assert sample.missing.code == code
    assert sample.devices == ()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[LineFeed]:
    argv = (sys.executable, "-I", "-m", "jupyter_mlinfn.hub.reclaim.host", "--simulated")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    feed = LineFeed([*argv, "--interval=0.1"], environment)
    yield feed
    feed.abandon()
    deadline = time.monotonic() + 60
    while collect() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_the_program_says_samples_until_its_reader_is_gone(agent: LineFeed) -> None:
    line = agent.wait_for_line(120)
    assert line is not None
    sample = HostSample.model_validate_json(line)
    if sample.missing is not None:
        pytest.skip(f"no simulated devices: {sample.missing.text}")
    states = {one.uuid: one.state for one in sample.devices}
    assert states[SLICES[6]] == "idle"
    assert states[SLICES[3]] == "unknown"
    assert len(states) == 9
    second = agent.wait_for_line(120)
    assert second is not None
    later = HostSample.model_validate_json(second)
    assert later.at > sample.at
    assert later.boot == sample.boot
