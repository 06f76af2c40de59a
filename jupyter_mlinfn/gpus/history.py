"""The last day of every device, in rings: fine for ten minutes, coarser before.

Times are kept in seconds since boot, which never go back and count while the machine sleeps,
and are told in the present wall clock: a clock that was set does not tear the history.
"""

from __future__ import annotations

import math
import time
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from jupyter_mlinfn.model.accelerators import Accelerator, GpuHistory, GpuSnapshot

MIB = 2**20

# Seconds between two points and how many of them are kept; the first is each sample.
_LEVELS: Final = ((0.0, 1200), (10.0, 400), (60.0, 1440))
_FINE_SECONDS: Final = 600.0
_COLUMNS: Final = 4

_Values = tuple[float, float, float, float]


@dataclass
class _Ring:
    """Points of one distance; ``values`` holds those of all columns, point after point.

    ``began``: the first point of the finer ring that is in no mean of this one yet.
    """

    every: float
    room: int
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("f"))
    began: float | None = None

    def push(self, moment: float, values: _Values) -> None:
        """Keep a point; the oldest go when there are twice as many as there is room for."""
        self.times.append(moment)
        self.values.extend(values)
        if len(self.times) >= 2 * self.room:
            del self.times[: self.room]
            del self.values[: self.room * _COLUMNS]

    def mean(self, began: float, end: float) -> _Values:
        """Means of what was available from ``began`` to before ``end``; NaN: nothing was."""
        first, last = bisect_left(self.times, began), bisect_left(self.times, end)
        known = [
            [
                one
                for one in self.values[first * _COLUMNS + at : last * _COLUMNS : _COLUMNS]
                if one == one
            ]
            for at in range(_COLUMNS)
        ]
        a, b, c, d = (sum(column) / len(column) if column else math.nan for column in known)
        return a, b, c, d

    def column(self, at: int, rows: list[int]) -> tuple[float | None, ...]:
        """One value of those points."""
        return tuple(_known(self.values[row * _COLUMNS + at]) for row in rows)


class _Past:
    """One device's rings, from fine to coarse, and when it was seen last."""

    def __init__(self) -> None:
        self.seen = -1.0
        self.rings = [_Ring(every, room) for every, room in _LEVELS]
        self._steps = list(pairwise(self.rings))

    def add(self, moment: float, values: _Values) -> None:
        """Keep a point, and the means it completes."""
        self.seen = moment
        self.rings[0].push(moment, values)
        for finer, ring in self._steps:
            if ring.began is not None and moment - ring.began < ring.every:
                return
            began, ring.began = ring.began, moment
            if began is None:
                return
            means = finer.mean(began, moment)
            moment = began + ring.every / 2
            ring.push(moment, means)


class Histories:
    """Histories of all devices by UUID; about 60 kB each."""

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval
        self._pasts: dict[str, _Past] = {}

    def add(self, snapshot: GpuSnapshot, boot: float) -> None:
        """Keep a sample taken ``boot`` seconds after boot. Silent and lost devices leave a gap."""
        for one in snapshot.accelerators:
            if one.state != "ok":
                continue
            past = self._pasts.get(one.uuid)
            if past is None:
                past = self._pasts[one.uuid] = _Past()
            if boot > past.seen:
                past.add(boot, _values(one))
        self._forget(boot)

    def _forget(self, boot: float) -> None:
        """Devices that were not seen for a day: MIG layouts change, and UUIDs with them."""
        for uuid in [uuid for uuid, past in self._pasts.items() if boot - past.seen > 86400]:
            del self._pasts[uuid]

    def of(self, uuid: str, seconds: float, boot: float | None = None) -> GpuHistory:
        """The last ``seconds`` before ``boot`` (now); empty for a device never seen."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME) if boot is None else boot
        at = 0 if seconds <= _FINE_SECONDS else 1 if seconds <= 3600 else 2
        interval = _LEVELS[at][0] or self._interval
        if uuid not in self._pasts:
            return _history(uuid, interval, (), [()] * _COLUMNS)
        ring = self._pasts[uuid].rings[at]
        rows = [n for n, moment in enumerate(ring.times) if now - seconds <= moment <= now]
        offset = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return _history(
            uuid,
            interval,
            tuple(round(ring.times[n] + offset, 3) for n in rows),
            [ring.column(column, rows) for column in range(_COLUMNS)],
        )


def _values(one: Accelerator) -> _Values:
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
