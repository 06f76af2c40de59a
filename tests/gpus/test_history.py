"""The rings: what is kept, how coarse, and that no clock can tear them."""

from __future__ import annotations

import time

import pytest

from jupyter_mlinfn.gpus.history import Histories
from jupyter_mlinfn.model.accelerators import Accelerator, GpuSnapshot, Memory, Signal

MIB = 2**20


def snapshot(percent: float | None, used: int = 100, **more: str) -> GpuSnapshot:
    card = Accelerator(
        uuid=more.get("uuid", "GPU-1"), index=0, name="T4", state=more.get("state", "ok"),
        memory=Memory(total=1000 * MIB, used=used * MIB),
        signal=Signal(state="busy", percent=percent), power=61.5,
    )  # fmt: skip
    return GpuSnapshot(accelerators=(card,))


def test_the_last_minutes_are_fine_and_hours_are_means() -> None:
    histories = Histories(interval=1.0)
    for second in range(4000):
        histories.add(snapshot(float(second % 10)), boot=1000.0 + second)
    fine = histories.of("GPU-1", 300, boot=5000.0)
    assert fine.interval == 1.0
    assert len(fine.times) == 300
    assert fine.percent[:3] == (0.0, 1.0, 2.0)
    assert fine.memory_used[0] == 100 * MIB
    assert fine.power[0] == 61.5
    assert fine.temperature[0] is None
    hour = histories.of("GPU-1", 3600, boot=5000.0)
    assert hour.interval == 10.0
    assert 355 <= len(hour.times) <= 360
    assert set(hour.percent) == {4.5}
    day = histories.of("GPU-1", 86400, boot=5000.0)
    assert day.interval == 60.0
    assert 64 <= len(day.times) <= 66


def test_what_was_not_available_is_none_and_no_part_of_a_mean() -> None:
    histories = Histories()
    for second in range(30):
        histories.add(snapshot(None if second % 2 else 40.0), boot=1000.0 + second)
    assert histories.of("GPU-1", 600, boot=1030.0).percent[:2] == (40.0, None)
    assert histories.of("GPU-1", 3600, boot=1030.0).percent[0] == 40.0


def test_silence_leaves_a_gap() -> None:
    histories = Histories()
    histories.add(snapshot(1.0), boot=1000.0)
    for second in range(1, 9):
        histories.add(snapshot(99.0, state="silent"), boot=1000.0 + second)
    histories.add(snapshot(2.0), boot=1009.0)
    told = histories.of("GPU-1", 600, boot=1010.0)
    assert told.percent == (1.0, 2.0)
    assert told.times[1] - told.times[0] == pytest.approx(9.0)


def test_times_never_go_back_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = Histories()
    real = time.time
    for second in range(10):
        if second == 5:
            monkeypatch.setattr(time, "time", lambda: real() - 3600)
        histories.add(snapshot(1.0), boot=1000.0 + second)
    histories.add(snapshot(1.0), boot=1004.0)  # a late sample is no new point
    told = histories.of("GPU-1", 600, boot=1010.0)
    assert len(told.times) == 10
    assert all(b > a for a, b in zip(told.times, told.times[1:], strict=False))


def test_what_is_kept_is_bounded() -> None:
    histories = Histories()
    for at in range(20_000):
        histories.add(snapshot(1.0), boot=1000.0 + at * 0.1)
    rings = histories._pasts["GPU-1"].rings
    assert all(len(ring.times) < 2 * ring.room for ring in rings)
    assert all(len(ring.values) == 4 * len(ring.times) for ring in rings)


def test_devices_that_are_gone_for_a_day_are_forgotten() -> None:
    histories = Histories()
    histories.add(snapshot(1.0, uuid="MIG-old"), boot=1000.0)
    histories.add(snapshot(1.0), boot=1000.0 + 86401)
    assert histories.of("MIG-old", 86400, boot=1000.0).times == ()
