"""The last day of every device, in rings: fine for ten minutes, coarser before.

Times are kept in seconds since boot, which never go back and count while the machine sleeps,
and are told in the present wall clock: a clock that was set does not tear the history.
"""

from __future__ import annotations

import math
import time
from array import array
from dataclasses import dataclass, field
from typing import Final

from jupyter_mlinfn.model.accelerators import Accelerator, GpuHistory, GpuSnapshot

MIB = 2**20

# Seconds between two points and how many of them are kept; the first is each sample.
_LEVELS: Final = ((0.0, 1200), (10.0, 400), (60.0, 1440))
_FINE_SECONDS: Final = 600.0
_COLUMNS: Final = 4


def _columns() -> list[array[float]]:
    return [array("f") for _ in range(_COLUMNS)]


@dataclass
class _Ring:
    """Points of one distance. Means are taken of what is available; NaN: nothing was."""

    every: float
    room: int
    times: array[float] = field(default_factory=lambda: array("d"))
    columns: list[array[float]] = field(default_factory=_columns)
    began: float | None = None
    sums: list[float] = field(default_factory=lambda: [0.0] * _COLUMNS)
    counts: list[int] = field(default_factory=lambda: [0] * _COLUMNS)

    def add(
        self, moment: float, values: tuple[float, ...]
    ) -> tuple[float, tuple[float, ...]] | None:
        """Take a point; a mean that was completed by it, for the next coarser ring."""
        if self.every == 0:
            self._push(moment, values)
            return moment, values
        done = None
        if self.began is not None and moment - self.began >= self.every:
            done = self._close()
        if self.began is None:
            self.began = moment
        for at, value in enumerate(values):
            if value == value:  # not NaN
                self.sums[at] += value
                self.counts[at] += 1
        return done

    def _close(self) -> tuple[float, tuple[float, ...]]:
        assert self.began is not None
        pairs = zip(self.sums, self.counts, strict=True)
        means = tuple(total / n if n else math.nan for total, n in pairs)
        middle = self.began + self.every / 2
        self._push(middle, means)
        self.began = None
        self.sums = [0.0] * _COLUMNS
        self.counts = [0] * _COLUMNS
        return middle, means

    def _push(self, moment: float, values: tuple[float, ...]) -> None:
        self.times.append(moment)
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)
        if len(self.times) >= 2 * self.room:
            del self.times[: self.room]
            for column in self.columns:
                del column[: self.room]


class Histories:
    """Histories of all devices by UUID; about 60 kB each."""

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._rings: dict[str, list[_Ring]] = {}
        self._seen: dict[str, float] = {}

    def add(self, snapshot: GpuSnapshot, boot: float) -> None:
        """Keep a sample taken ``boot`` seconds after boot. Silent and lost devices leave a gap."""
        for one in snapshot.accelerators:
            if one.state != "ok" or boot <= self._seen.get(one.uuid, -1.0):
                continue
            self._seen[one.uuid] = boot
            if one.uuid not in self._rings:
                self._rings[one.uuid] = [_Ring(every, room) for every, room in _LEVELS]
            point: tuple[float, tuple[float, ...]] | None = (boot, _values(one))
            for ring in self._rings[one.uuid]:
                if point is not None:
                    point = ring.add(*point)
        self._forget(boot)

    def _forget(self, boot: float) -> None:
        """Devices that were not seen for a day: MIG layouts change, and UUIDs with them."""
        for uuid in [uuid for uuid, at in self._seen.items() if boot - at > 86400]:
            del self._seen[uuid], self._rings[uuid]

    def of(self, uuid: str, seconds: float, boot: float | None = None) -> GpuHistory:
        """The last ``seconds`` before ``boot`` (now); empty for a device never seen."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME) if boot is None else boot
        at = 0 if seconds <= _FINE_SECONDS else 1 if seconds <= 3600 else 2
        interval = _LEVELS[at][0] or self._interval
        if uuid not in self._rings:
            return _history(uuid, interval, (), [()] * _COLUMNS)
        ring = self._rings[uuid][at]
        rows = [n for n, moment in enumerate(ring.times) if now - seconds <= moment <= now]
        offset = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return _history(
            uuid,
            interval,
            tuple(round(ring.times[n] + offset, 3) for n in rows),
            [tuple(_known(column[n]) for n in rows) for column in ring.columns],
        )


def _values(one: Accelerator) -> tuple[float, ...]:
    percent, power, temperature = one.signal.percent, one.power, one.temperature
    return (
        math.nan if percent is None else percent,
        one.memory.used / MIB if one.memory else math.nan,
        math.nan if power is None else power,
        math.nan if temperature is None else temperature,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 1)


def _history(
    uuid: str, interval: float, times: tuple[float, ...], columns: list[tuple[float | None, ...]]
) -> GpuHistory:
    percent, used, power, temperature = columns
    return GpuHistory(
        uuid=uuid,
        interval=interval,
        times=times,
        percent=percent,
        memory_used=tuple(None if one is None else round(one * MIB) for one in used),
        power=power,
        temperature=temperature,
    )
