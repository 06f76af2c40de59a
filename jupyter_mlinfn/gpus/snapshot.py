"""One complete picture: from a reading of the agent, or by asking an agent for one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from jupyter_mlinfn.gpus.holders import Knowledge, holders_of
from jupyter_mlinfn.gpus.reading import AgentFeed, DeviceReading, Reading
from jupyter_mlinfn.gpus.signals import Judgement, Stretches, judge_all
from jupyter_mlinfn.gpus.source import NO_DRIVER, SILENT_DRIVER
from jupyter_mlinfn.model.accelerators import Accelerator, GpuSnapshot, Holder, Memory, Signal
from jupyter_mlinfn.process.detach import own_program

LIBRARY: Final = "libnvidia-ml.so.1"
_FOLDERS: Final = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")


def take_snapshot(
    *, deadline: float = 8.0, simulated: bool = False, knowledge: Knowledge | None = None
) -> GpuSnapshot:
    """One sample by a process of its own; blocks for at most ``deadline`` seconds.

    ``missing`` says in words when there is no driver, no GPU or no answer.
    """
    reading = take_reading(deadline=deadline, simulated=simulated)
    if reading is None:
        return GpuSnapshot(missing=SILENT_DRIVER, simulated=simulated, taken_at=datetime.now(UTC))
    return to_snapshot(reading, knowledge or Knowledge())


def take_reading(*, deadline: float = 8.0, simulated: bool = False) -> Reading | None:
    """As :func:`take_snapshot`, before attribution; ``None``: the driver did not answer."""
    if not simulated and not library_may_exist():
        return missing_reading("no-library", NO_DRIVER)
    for _ in range(2):  # the devices may change between two calls: then the agent ends
        feed = AgentFeed(agent_command(once=deadline, simulated=simulated))
        try:
            line = feed.wait_for_line(deadline)
            if line is not None:
                return feed.complete(line)
            if not feed.ended:
                return None
        finally:
            feed.abandon()
    return None


def agent_command(
    *, interval: float = 1.0, once: float | None = None, simulated: bool = False
) -> tuple[str, ...]:
    """The argv of the agent."""
    words = [f"--interval={interval}"] if once is None else [f"--once={once}"]
    if simulated:
        words.append("--simulated")
    return own_program("jupyter_mlinfn.gpus.agent", *words)


def missing_reading(code: str, text: str) -> Reading:
    """A reading that says why there is nothing."""
    now = datetime.now(UTC).timestamp()
    return Reading.model_validate(
        {"time": now, "boot": 0.0, "facts": {}, "missing": {"code": code, "text": text}}
    )


def library_may_exist() -> bool:
    """Whether the loader could find NVML, without loading it: tens of microseconds.

    Looks where ld.so looks: ``LD_PRELOAD``, ``LD_LIBRARY_PATH``, its cache, its folders.
    """
    if LIBRARY in os.environ.get("LD_PRELOAD", ""):
        return True
    folders = [*os.environ.get("LD_LIBRARY_PATH", "").split(":"), *_FOLDERS]
    if any(folder and os.path.exists(f"{folder}/{LIBRARY}") for folder in folders):  # noqa: PTH110
        return True
    try:
        return LIBRARY.encode() in Path("/etc/ld.so.cache").read_bytes()
    except OSError:
        return any(Path("/usr/lib").glob(f"*/{LIBRARY}"))


def to_snapshot(reading: Reading, knowledge: Knowledge) -> GpuSnapshot:
    """One picture without history."""
    return Pictures().draw(reading, knowledge)


@dataclass
class _Drawn:
    """An accelerator and what it was drawn from."""

    device: DeviceReading
    judgement: Judgement
    since: datetime | None
    accelerator: Accelerator


class Pictures:
    """Draws snapshots; what did not change from one to the next is the very same object."""

    def __init__(self, stretches: Stretches | None = None) -> None:
        self._stretches = stretches
        self._drawn: dict[str, _Drawn] = {}
        self._people: object = None
        self._knowledge: Knowledge | None = None

    def draw(self, reading: Reading, knowledge: Knowledge) -> GpuSnapshot:
        """Devices with signals and holders, in the order in which they were read."""
        taken_at = datetime.fromtimestamp(reading.time, UTC)
        judged = judge_all(reading.devices)
        since = self._stretches.note(judged, taken_at) if self._stretches else {}
        people = (reading.people, reading.namespace)
        if people != self._people or knowledge != self._knowledge:
            self._drawn.clear()
        self._people, self._knowledge = people, knowledge
        before, self._drawn = self._drawn, {}
        for one in reading.devices:
            drawn = before.get(one.uuid)
            judgement, began = judged[one.uuid], since.get(one.uuid)
            if not (
                drawn
                and drawn.device is one
                and drawn.judgement == judgement
                and drawn.since == began
            ):
                accelerator = _accelerator(
                    one,
                    signal=_signal(judgement, began),
                    memory=_memory(drawn, one),
                    holders=_holders(drawn, one, reading, knowledge),
                    taken_at=taken_at,
                )
                drawn = _Drawn(one, judgement, began, accelerator)
            self._drawn[one.uuid] = drawn
        return GpuSnapshot(
            accelerators=tuple(one.accelerator for one in self._drawn.values()),
            facts=reading.facts,
            taken_at=taken_at,
            missing=reading.missing.text if reading.missing else None,
            simulated=reading.simulated,
        )


def _memory(drawn: _Drawn | None, one: DeviceReading) -> Memory | None:
    if one.total is None or one.used is None:
        return None
    before = drawn and drawn.accelerator.memory
    if before and before.used == one.used and before.total == one.total:
        return before
    return Memory(total=one.total, used=one.used)


def _holders(
    drawn: _Drawn | None, one: DeviceReading, reading: Reading, knowledge: Knowledge
) -> tuple[Holder, ...]:
    """Those drawn before while all that they follow from is as it was."""
    if one.cut:
        return ()
    before = drawn and drawn.device
    if (
        drawn
        and before
        and before.processes is one.processes
        and before.used == one.used
        and before.total == one.total
        and not before.cut
    ):
        return drawn.accelerator.holders
    return holders_of(one, reading, knowledge)


def _signal(judgement: Judgement, since: datetime | None) -> Signal:
    state, measurement, percent = judgement
    return Signal(state=state, measurement=measurement, percent=percent, since=since)


def _accelerator(
    one: DeviceReading,
    *,
    signal: Signal,
    memory: Memory | None,
    holders: tuple[Holder, ...],
    taken_at: datetime,
) -> Accelerator:
    return Accelerator(
        uuid=one.uuid,
        index=one.index,
        name=one.name,
        parent=one.parent,
        mig=one.mig,
        cut=one.cut,
        state=one.state,
        problem=one.problem,
        memory=memory,
        signal=signal,
        power=one.power,
        power_limit=one.power_limit,
        energy=one.energy,
        temperature=one.temperature,
        holders=holders,
        taken_at=None if one.state == "ok" else taken_at - timedelta(seconds=one.age),
    )
