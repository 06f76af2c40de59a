"""Busy, idle or unknown. Unknown is never taken for idle: it is neither culled nor billed so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from jupyter_mlinfn.gpus.reading import DeviceReading
from jupyter_mlinfn.gpus.source import NOBODY
from jupyter_mlinfn.model.accelerators import SignalState

_BUSY_PERCENT: Final = 1.0


def is_held(device: DeviceReading) -> bool | None:
    """Whether somebody holds memory there; ``None``: neither processes nor memory are told."""
    if device.processes:
        return True
    if device.used is not None:
        return device.used > NOBODY
    return None if device.processes is None else False


class Judgement(NamedTuple):
    """A signal without its history."""

    state: SignalState
    measurement: str | None = None
    percent: float | None = None


_UNKNOWN: Final = Judgement("unknown")


def judge(device: DeviceReading) -> Judgement:
    """From the measurement if there is one; idle for certain where nobody is."""
    if device.state != "ok":
        return _UNKNOWN
    if device.percent is not None:
        state: SignalState = "busy" if device.percent >= _BUSY_PERCENT else "idle"
        return Judgement(state, device.measurement, device.percent)
    return Judgement("idle", "nobody") if is_held(device) is False else _UNKNOWN


def judge_parent(instances: Iterable[Judgement]) -> Judgement:
    """Of a GPU that is cut: what its instances say; one unknown leaves no room for idle."""
    states = {one.state for one in instances}
    if "busy" in states:
        return Judgement("busy", "instances")
    if "unknown" in states or not states:
        return _UNKNOWN
    return Judgement("idle", "instances")


def judge_all(devices: Iterable[DeviceReading]) -> dict[str, Judgement]:
    """The judgement of every device by UUID."""
    devices = list(devices)
    judged = {one.uuid: judge(one) for one in devices}
    instances: dict[str, list[Judgement]] = {one.uuid: [] for one in devices if one.cut}
    for one in devices:
        if one.parent in instances:
            instances[one.parent].append(judged[one.uuid])
    for one in devices:
        if one.cut and one.state == "ok":
            judged[one.uuid] = judge_parent(instances[one.uuid])
    return judged


class Stretches:
    """Since when each device has been busy, idle or unknown, as far as somebody watched."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[SignalState, datetime]] = {}

    def note(self, judged: Mapping[str, Judgement], moment: datetime) -> dict[str, datetime]:
        """Since when, by UUID; devices that are gone are forgotten."""
        before = self._began
        self._began = {
            uuid: before[uuid]
            if uuid in before and before[uuid][0] == one.state
            else (one.state, moment)
            for uuid, one in judged.items()
        }
        return {uuid: began for uuid, (_, began) in self._began.items()}
