"""Busy, idle or unknown. Unknown is never taken for idle: it is neither culled nor billed so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from jupyter_mlinfn.gpus.reading import DeviceReading
from jupyter_mlinfn.gpus.source import NOBODY
from jupyter_mlinfn.model.accelerators import Signal, SignalState

_BUSY_PERCENT: Final = 1.0


def is_held(device: DeviceReading) -> bool | None:
    """Whether somebody holds memory there; ``None``: neither processes nor memory are told."""
    if device.processes:
        return True
    if device.used is not None:
        return device.used > NOBODY
    return None if device.processes is None else False


def signal_of(device: DeviceReading) -> Signal:
    """From the measurement if there is one; idle for certain where nobody is."""
    if device.state != "ok":
        return Signal(state="unknown")
    if device.percent is not None:
        state: SignalState = "busy" if device.percent >= _BUSY_PERCENT else "idle"
        return Signal(state=state, measurement=device.measurement, percent=device.percent)
    if is_held(device) is False:
        return Signal(state="idle", measurement="nobody")
    return Signal(state="unknown")


def signal_of_parent(instances: Iterable[Signal]) -> Signal:
    """Of a GPU that is cut: what its instances say; one unknown leaves no room for idle."""
    states = {one.state for one in instances}
    if "busy" in states:
        return Signal(state="busy", measurement="instances")
    if "unknown" in states or not states:
        return Signal(state="unknown")
    return Signal(state="idle", measurement="instances")


class Stretches:
    """Since when each device has been busy, idle or unknown, as far as somebody watched."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[SignalState, datetime]] = {}

    def note(self, signals: dict[str, Signal], moment: datetime) -> dict[str, Signal]:
        """The signals with ``since``; devices that are gone are forgotten."""
        before = self._began
        self._began = {
            uuid: before[uuid]
            if uuid in before and before[uuid][0] == signal.state
            else (signal.state, moment)
            for uuid, signal in signals.items()
        }
        return {
            uuid: signal.model_copy(update={"since": self._began[uuid][1]})
            for uuid, signal in signals.items()
        }
