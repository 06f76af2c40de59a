"""The agent over time: layouts that change, cards that hang, readers that die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_mlinfn.gpus.reading import AgentFeed, Reading
from jupyter_mlinfn.gpus.simulated.state import Instance
from tests.gpus.conftest import FakeDriver, a100, by_uuid, reading_of, t4, until

pytestmark = pytest.mark.slow

Start = Callable[..., AgentFeed]
MIB = 2**20


def test_no_value_moves_to_another_instance_after_a_repartition(
    driver: FakeDriver, agent: Start
) -> None:
    card = a100(slices=3, pids=[1])
    driver.write(card)
    feed = agent("--interval=0.05")
    before = reading_of(feed)
    assert [one.uuid for one in before.devices] == [
        "GPU-0000",
        "MIG-0000-0",
        "MIG-0000-1",
        "MIG-0000-2",
    ]
    # The same slots, and the same handles, mean other instances now.
    card.instances = [
        Instance(slot=0, uuid="MIG-new-0", gi=1, memory_mib=40192, used_mib=9000,
                 name="NVIDIA A100-SXM4-80GB MIG 3g.40gb"),
        Instance(slot=1, uuid="MIG-new-1", gi=2, memory_mib=40192, used_mib=8000,
                 name="NVIDIA A100-SXM4-80GB MIG 4g.40gb"),
    ]  # fmt: skip
    card.processes = []
    driver.write()
    seen: list[Reading] = []
    until(feed, lambda one: seen.append(one) or "MIG-new-0" in by_uuid(one))  # type: ignore[func-returns-value]
    for reading in seen:
        for device in reading.devices:
            if device.uuid.startswith("MIG-0000"):
                assert device.total == 9728 * MIB, "an old instance has a new one's memory"
    now = by_uuid(seen[-1])
    assert set(now) == {"GPU-0000", "MIG-new-0", "MIG-new-1"}
    assert now["MIG-new-0"].used == 9000 * MIB
    assert now["MIG-new-1"].mig is not None
    assert now["MIG-new-1"].mig.profile == "4g.40gb"


def test_one_card_hangs_and_comes_back(driver: FakeDriver, agent: Start) -> None:
    hanging, fine = t4(0, pids=[1]), t4(1, pids=[2])
    driver.write(hanging, fine)
    feed = agent("--interval=0.05")
    reading_of(feed)
    hanging.hang = True
    fine.util = 12
    driver.write()
    silent = until(feed, lambda one: one.devices[0].state == "silent", readings=400)
    assert silent.devices[0].age >= 2.5
    assert silent.devices[0].used == 2048 * MIB, "the last known value stays"
    assert silent.hung > 2
    assert (silent.devices[1].state, silent.devices[1].percent) == ("ok", 12)
    assert silent.devices[1].age < 1
    hanging.hang = False
    driver.write()
    until(feed, lambda one: one.devices[0].state == "ok" and one.devices[0].age < 1)


def test_a_card_that_hangs_from_the_start(driver: FakeDriver, agent: Start) -> None:
    driver.write(t4(0, hang=True), t4(1))
    reading = reading_of(agent("--interval=0.1"))
    silent, fine = reading.devices
    assert (silent.uuid, silent.state, silent.total) == ("GPU-0", "silent", None)
    assert fine.state == "ok"


def test_slow_calls_are_waited_for(driver: FakeDriver, agent: Start) -> None:
    driver.state.latency_us = 1000
    driver.write(*(a100(at, pids=[at]) for at in range(2)))
    reading = reading_of(agent("--once=10"))
    assert len(reading.devices) == 16
    assert {one.state for one in reading.devices} == {"ok"}


def test_later_lines_hold_only_what_changed(driver: FakeDriver, agent: Start) -> None:
    still, moving = t4(0, pids=[1]), t4(1)
    driver.write(still, moving)
    feed = agent("--interval=0.05")
    first = json.loads(feed.wait_for_line(20) or b"")
    assert len(first["devices"]) == 2
    assert first["layout"] == ["GPU-T4-0", "GPU-T4-1"]
    second = json.loads(feed.wait_for_line(20) or b"")
    assert (second["devices"], second["layout"], second["people"]) == ([], None, None)
    moving.temperature = 71
    driver.write()
    said: dict[str, Any] = {}
    while not said.get("devices"):
        said = json.loads(feed.wait_for_line(20) or b"")
    (row,) = said["devices"]
    assert (row["uuid"], row["temperature"]) == ("GPU-T4-1", 71.0)


def test_energy_grows(driver: FakeDriver, agent: Start) -> None:
    driver.write(t4(pids=[1], since=time.time()))
    feed = agent("--interval=0.05")
    first = reading_of(feed).devices[0].energy
    assert first is not None
    until(feed, lambda one: (one.devices[0].energy or 0) > first)


def test_a_driver_loaded_anew_wants_a_fresh_agent(driver: FakeDriver, agent: Start) -> None:
    driver.write(t4())
    feed = agent("--interval=0.05")
    reading_of(feed)
    driver.state.generation += 1
    driver.write(t4(1), t4(2))
    while feed.wait_for_line(20) is not None:
        pass
    assert feed.ended, "it does not read other cards with old handles"
    assert set(by_uuid(reading_of(agent("--once=5")))) == {"GPU-T4-1", "GPU-T4-2"}


def test_cards_that_come_and_go_want_a_fresh_agent(driver: FakeDriver, agent: Start) -> None:
    driver.write(t4(0))
    feed = agent("--interval=0.05")
    reading_of(feed)
    driver.write(t4(0), t4(1))
    while feed.wait_for_line(20) is not None:
        pass
    assert feed.ended


def test_it_ends_with_its_reader_even_in_a_hanging_call(driver: FakeDriver) -> None:
    """The reader is killed with -9 while a call hangs; the agent is not its reader's child."""
    driver.write(t4(hang=True))
    program = (
        "import sys, time\n"
        "from jupyter_mlinfn.process.feed import LineFeed\n"
        "feed = LineFeed([sys.executable, '-I', '-m', 'jupyter_mlinfn.gpus.agent'])\n"
        "feed.wait_for_line(20)\n"
        "print(feed.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        pid = int(reader.stdout.readline())
        os.kill(pid, 0)
        reader.send_signal(signal.SIGKILL)
    for _ in range(500):
        if not _alive(pid):
            return
        time.sleep(0.02)
    raise AssertionError("the agent outlived its reader")


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_agent_is_lean(driver: FakeDriver) -> None:
    program = "import jupyter_mlinfn.gpus.agent, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pydantic", "psutil", "asyncio", "tornado", "sqlalchemy"} & set(loaded)
