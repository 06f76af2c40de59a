"""What the driver says, through the real nvidia-ml-py in the real agent, one sample each."""

from __future__ import annotations

import os

import pytest

from jupyter_mlinfn.gpus.reading import Reading
from jupyter_mlinfn.gpus.simulated.state import Process
from jupyter_mlinfn.gpus.snapshot import take_reading, take_snapshot
from tests.gpus.conftest import FakeDriver, a100, by_uuid, t4

GIB = 2**30
MIB = 2**20


def read() -> Reading:
    reading = take_reading(deadline=20)
    assert reading is not None
    return reading


def test_values_of_a_whole_card_with_their_units(driver: FakeDriver) -> None:
    driver.write(t4(pids=[4711], energy_mj=7_200_000))
    reading = read()
    (card,) = reading.devices
    assert (card.name, card.uuid, card.cut, card.parent) == ("Tesla T4", "GPU-T4-0", False, None)
    assert (card.total, card.used) == (15 * GIB, 2 * GIB)
    assert (card.percent, card.measurement) == (83.0, "utilisation")
    assert (card.power, card.power_limit, card.temperature) == (61.5, 70.0, 56.0)
    assert card.energy == 7200.0
    assert card.processes is not None
    assert [(one.pid, one.memory) for one in card.processes] == [(4711, 2000 * MIB)]
    assert reading.facts.driver == "570.86.10"
    assert reading.facts.cuda == "12.8"


def test_a_process_that_computes_and_draws_is_listed_once(driver: FakeDriver) -> None:
    card = t4(pids=[10])
    card.processes += [Process(10, 5, graphics=True), Process(11, 7, graphics=True)]
    driver.write(card)
    (one,) = read().devices
    assert one.processes is not None
    assert [process.pid for process in one.processes] == [10, 11]


def test_eight_cards_of_seven_slices(driver: FakeDriver) -> None:
    driver.write(*(a100(at, pids=[100 * at + n for n in range(7)]) for at in range(8)))
    snapshot = take_snapshot(deadline=20)
    assert len(snapshot.accelerators) == 8 * 8
    parents = [one for one in snapshot.accelerators if one.cut]
    slices = [one for one in snapshot.accelerators if one.mig]
    assert len(parents) == 8
    assert {one.parent for one in slices} == {one.uuid for one in parents}
    last = slices[-1]
    assert last.mig is not None
    assert last.mig.model_dump() == {
        "profile": "1g.10gb", "gpu_instance": 13, "compute_instance": 0,
    }  # fmt: skip
    assert last.index == 6
    assert last.memory is not None
    assert last.memory.used == 4006 * MIB
    assert [holder.pid for holder in last.holders] == [706]
    assert all(not parent.holders for parent in parents), "slices are held, not their parent"


def test_a_held_slice_of_an_a100_is_unknown_and_a_free_one_is_idle(driver: FakeDriver) -> None:
    driver.write(a100(pids=[1]))
    parent, held, free, *_ = take_snapshot(deadline=20).accelerators
    assert (held.signal.state, held.signal.percent) == ("unknown", None)
    assert (free.signal.state, free.signal.measurement) == ("idle", "nobody")
    assert parent.signal.state == "unknown", "one unknown slice leaves no room for idle"


def test_activity_of_slices_where_the_card_tells_it(driver: FakeDriver) -> None:
    driver.write(a100(pids=[1, 2, 3], gpm=True, utils=[71, 0, None, 0, 0, 0, 0]))
    parent, busy, idle, silent, *_ = take_snapshot(deadline=20).accelerators
    assert (busy.signal.state, busy.signal.measurement, busy.signal.percent) == ("busy", "gpm", 71)
    assert (idle.signal.state, idle.signal.percent) == ("idle", 0)
    assert silent.signal.state == "unknown"
    assert (parent.signal.state, parent.signal.measurement) == ("busy", "instances")


def test_what_is_not_supported_is_not_zero(driver: FakeDriver) -> None:
    bare = t4(util=None, power_mw=None, limit_mw=None, temperature=None)
    bare.processes = [Process(1, None)]
    driver.write(bare)
    (card,) = read().devices
    assert (card.percent, card.power, card.power_limit, card.temperature) == (None,) * 4
    assert card.processes is not None
    assert card.processes[0].memory is None
    (shown,) = take_snapshot(deadline=20).accelerators
    assert shown.signal.state == "unknown"


def test_a_container_with_slices_only(driver: FakeDriver) -> None:
    driver.write(a100(slices=2, pids=[21], refused=True))
    parent, held, free = read().devices
    assert (parent.total, parent.power, parent.temperature, parent.processes) == (None,) * 4
    assert parent.cut
    assert (held.total, held.used) == (9728 * MIB, 4000 * MIB)
    assert held.processes is not None
    assert [one.pid for one in held.processes] == [21], "asked of the slice itself"
    assert free.processes == ()


def test_memory_without_processes_is_held_from_outside(driver: FakeDriver) -> None:
    driver.write(a100(slices=2, pids=[21], hidden=True), t4(pids=[22], hidden=True))
    _, held, free, card = take_snapshot(deadline=20).accelerators
    for one in (held, card):
        (holder,) = one.holders
        assert (holder.kind, holder.title, holder.pid) == (
            "outside",
            "outside this container",
            None,
        )
        assert one.memory is not None
        assert holder.memory == one.memory.used
    assert free.holders == ()


def test_a_lost_card_hides_nobody(driver: FakeDriver) -> None:
    driver.write(t4(0, lost=True), t4(1, pids=[5]))
    lost, fine = take_snapshot(deadline=20).accelerators
    assert lost.state == "lost"
    assert lost.problem is not None
    assert "fell off the bus" in lost.problem
    assert lost.signal.state == "unknown"
    assert (lost.memory, lost.power) == (None, None)
    assert (fine.state, fine.signal.percent) == ("ok", 83)


@pytest.mark.parametrize(
    ("init", "code", "words"),
    [
        (9, "no-driver", "not loaded"),
        (18, "version-mismatch", "restart"),
        (4, "no-permission", "administrator"),
        (999, "driver-error", "NVML error 999"),
    ],
)
def test_a_driver_that_does_not_start_is_a_calm_sentence(
    driver: FakeDriver, init: int, code: str, words: str
) -> None:
    driver.state.init = init
    driver.write(t4())
    reading = read()
    assert reading.missing is not None
    assert reading.missing.code == code
    assert words in reading.missing.text
    assert take_snapshot(deadline=20).missing == reading.missing.text


def test_a_driver_without_a_card(driver: FakeDriver) -> None:
    reading = read()
    assert reading.missing is not None
    assert reading.missing.code == "no-gpu"


def test_no_library_needs_no_process(no_driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("jupyter_mlinfn.gpus.snapshot.AgentFeed", start)
    snapshot = take_snapshot()
    assert snapshot.accelerators == ()
    assert snapshot.missing is not None
    assert "no NVIDIA driver" in snapshot.missing


def test_the_agent_itself_says_that_there_is_no_library(agent: object, driver: FakeDriver) -> None:
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("this machine has a driver")
    driver.remove()
    line = agent("--once=5").wait_for_line(20)  # type: ignore[operator]
    missing = Reading.model_validate_json(line).missing
    assert missing is not None
    assert missing.code == "no-library"


@pytest.mark.parametrize(
    "omitted",
    [
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetFieldValues",
        "nvmlDeviceGetComputeRunningProcesses_v3",
    ],
)
def test_an_older_driver_has_another_way(driver: FakeDriver, omitted: str) -> None:
    driver.write(t4(pids=[4711]))
    driver.install(omit=[omitted])
    (card,) = read().devices
    assert (card.used, card.temperature, card.power) == (2 * GIB, 56.0, 61.5)
    assert card.processes is not None
    assert [one.pid for one in card.processes] == [4711]
    assert omitted not in driver.calls()
    assert (card.energy is None) == (omitted == "nvmlDeviceGetFieldValues")


def test_symbols_without_another_way_are_values_not_available(driver: FakeDriver) -> None:
    driver.write(a100(pids=[1], gpm=True), t4())
    driver.install(
        omit=["nvmlDeviceGetUtilizationRates", "nvmlGpmQueryDeviceSupport", "nvmlDeviceGetMigMode"]
    )
    devices = by_uuid(read())
    assert not devices["GPU-0000"].cut
    assert devices["GPU-T4-0"].percent is None
    assert devices["GPU-T4-0"].temperature == 56.0


def test_the_call_that_blocks_is_never_made_and_calls_are_few(driver: FakeDriver) -> None:
    driver.write(*(a100(at, pids=[100 * at + n for n in range(7)]) for at in range(8)))
    read()
    calls = driver.calls()
    assert "nvmlDeviceGetPcieThroughput" not in calls
    # 56 slices: found, described and read once; processes come from the parents' lists.
    assert calls["nvmlDeviceGetMemoryInfo_v2"] == 64
    assert calls["nvmlDeviceGetComputeRunningProcesses_v3"] == 16
    assert sum(calls.values()) < 700
