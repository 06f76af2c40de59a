"""Full frame plus deltas is what was settled; jitter sends nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.gpus.deltas import apply, delta
from jupyter_mlinfn.gpus.settling import MIB, settle
from jupyter_mlinfn.model.accelerators import (
    Accelerator,
    DriverFacts,
    GpuSnapshot,
    Holder,
    Memory,
    MigShape,
    Signal,
)

pytestmark = pytest.mark.slow


class Stream:
    """What the server does for all clients together."""

    shown: GpuSnapshot | None = None

    def advance(self, latest: GpuSnapshot) -> dict[str, Any] | None:
        before, self.shown = self.shown, settle(self.shown, latest)
        return delta(before, self.shown) if before else None


NOON = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
TOTAL = 80 * 2**30

numbers = st.none() | st.floats(0, 1000, allow_nan=False)
instants = st.integers(1_577_836_800, 1_893_456_000).map(lambda s: datetime.fromtimestamp(s, UTC))
instants = instants.flatmap(
    lambda moment: st.integers(0, 999_999).map(lambda us: moment.replace(microsecond=us))
)
moments = st.none() | instants
signals = st.builds(
    Signal,
    state=st.sampled_from(["busy", "idle", "unknown"]),
    measurement=st.sampled_from([None, "gpm", "utilisation"]),
    percent=st.none() | st.floats(0, 100, allow_nan=False),
    since=moments,
)
holders = st.builds(
    Holder,
    kind=st.sampled_from(["kernel", "job", "process", "outside"]),
    title=st.text(max_size=5),
    pid=st.none() | st.integers(1, 5),
    memory=st.none() | st.integers(0, TOTAL),
    user=st.sampled_from([None, "anna"]),
    mine=st.booleans(),
)


def devices(at: int) -> st.SearchStrategy[Accelerator]:
    return st.builds(
        Accelerator,
        uuid=st.just(f"GPU-{at}"),
        index=st.just(at),
        name=st.just("A100"),
        state=st.sampled_from(["ok", "lost", "silent"]),
        problem=st.sampled_from([None, "gone"]),
        memory=st.builds(Memory, total=st.just(TOTAL), used=st.integers(0, TOTAL)),
        signal=signals,
        power=numbers,
        energy=st.none() | st.floats(0, 1e9, allow_nan=False),
        temperature=numbers,
        holders=st.lists(holders, max_size=3).map(tuple),
        taken_at=moments,
    )


snapshots = st.builds(
    GpuSnapshot,
    accelerators=st.tuples(*(devices(at) for at in range(3))),
    facts=st.just(DriverFacts(driver="570")),
    taken_at=instants,
)


@given(st.lists(snapshots, min_size=2, max_size=5))
@settings(max_examples=150, deadline=None)
def test_full_and_deltas_are_the_next_full(samples: list[GpuSnapshot]) -> None:
    stream = Stream()
    assert stream.advance(samples[0]) is None
    assert stream.shown is not None
    client = GpuSnapshot.model_validate_json(stream.shown.model_dump_json())
    for sample in samples[1:]:
        change = stream.advance(sample)
        assert change is not None
        client = apply(client, json.loads(json.dumps(change)))
        assert client == stream.shown


@given(snapshots, snapshots)
@settings(max_examples=100, deadline=None)
def test_what_is_shown_is_near_to_what_is(before: GpuSnapshot, sample: GpuSnapshot) -> None:
    shown = settle(settle(None, before), sample)
    for true, seen in zip(sample.accelerators, shown.accelerators, strict=True):
        assert (seen.signal.percent is None) == (true.signal.percent is None)
        assert abs((seen.signal.percent or 0) - (true.signal.percent or 0)) <= 5.5
        assert abs((seen.power or 0) - (true.power or 0)) <= 0.5 + max(5, 0.03 * (true.power or 0))
        assert abs((seen.energy or 0) - (true.energy or 0)) <= 10_500
        assert seen.memory is not None
        assert true.memory is not None
        assert abs(seen.memory.used - true.memory.used) <= TOTAL // 512 + MIB
        assert seen.signal.state == true.signal.state


def device(at: int = 0, **more: Any) -> Accelerator:
    values: dict[str, Any] = {
        "uuid": f"GPU-{at}", "index": at, "name": "A100",
        "memory": Memory(total=TOTAL, used=4 * 2**30), "power": 251.0, "temperature": 55.0,
        "signal": Signal(state="busy", measurement="utilisation", percent=90.0),
        "holders": (Holder(kind="process", title="python", pid=7, memory=3 * 2**30),),
    }  # fmt: skip
    return Accelerator(**(values | more))


def snapshot(*accelerators: Accelerator, seconds: float = 0) -> GpuSnapshot:
    return GpuSnapshot(accelerators=accelerators, taken_at=NOON + timedelta(seconds=seconds))


def advance(*samples: GpuSnapshot) -> dict[str, Any] | None:
    stream = Stream()
    change = None
    for sample in samples:
        change = stream.advance(sample)
    return change


def test_jitter_sends_nothing() -> None:
    steady = snapshot(device())
    jitter = snapshot(
        device(
            power=254.0,
            temperature=56.0,
            signal=Signal(state="busy", measurement="utilisation", percent=88.0),
            memory=Memory(total=TOTAL, used=4 * 2**30 + 30 * MIB),
            holders=(Holder(kind="process", title="python", pid=7, memory=3 * 2**30 + MIB),),
        ),
        seconds=1,
    )
    assert advance(steady, jitter) == {"t": int(NOON.timestamp()) + 1, "a": {}}


def test_each_field_has_its_column_by_position() -> None:
    moved = device(
        1,
        power=300.4,
        energy=5_000_400.0,
        temperature=70.0,
        memory=Memory(total=TOTAL, used=0),
        signal=Signal(state="idle", measurement="utilisation", percent=0.0, since=NOON),
        holders=(),
    )
    change = advance(snapshot(device(0), device(1)), snapshot(device(0), moved, seconds=1))
    assert change is not None
    assert change["a"] == {
        "u": {"1": 0},
        "s": {"1": ["idle", "utilisation", int(NOON.timestamp())]},
        "m": {"1": 0},
        "p": {"1": 300},
        "e": {"1": 5000},
        "c": {"1": 70},
        "h": {"1": []},
    }


def test_a_holders_memory_is_sent_without_the_holder() -> None:
    grown = device(holders=(Holder(kind="process", title="python", pid=7, memory=5 * 2**30),))
    change = advance(snapshot(device()), snapshot(grown, seconds=1))
    assert change is not None
    assert change["a"] == {"k": {"0": {"0": 5120}}}


def test_a_silent_device_says_since_when() -> None:
    gone = device(state="silent", problem="no answer", taken_at=NOON - timedelta(seconds=9))
    change = advance(snapshot(device()), snapshot(gone, seconds=1))
    assert change is not None
    assert change["a"] == {"x": {"0": ["silent", "no answer", int(NOON.timestamp()) - 9]}}


def test_zero_is_always_shown() -> None:
    low = Signal(state="busy", measurement="utilisation", percent=2.0)
    none = Signal(state="busy", measurement="utilisation", percent=0.0)
    change = advance(snapshot(device(signal=low)), snapshot(device(signal=none), seconds=1))
    assert change is not None
    assert change["a"] == {"u": {"0": 0}}


def test_another_layout_wants_a_full_frame() -> None:
    mig = MigShape(profile="1g.10gb", gpu_instance=7, compute_instance=0)
    before = settle(None, snapshot(device(0), device(1)))
    for after in (
        snapshot(device(0)),
        snapshot(device(1), device(0)),
        snapshot(device(0), device(1, uuid="GPU-9")),
        snapshot(device(0), device(1, mig=mig, parent="GPU-0")),
        snapshot(device(0), device(1, memory=None)),
        snapshot(device(0), device(1)).model_copy(update={"missing": "no driver"}),
        snapshot(device(0), device(1)).model_copy(update={"facts": DriverFacts(driver="580")}),
    ):
        assert delta(before, settle(before, after)) is None
