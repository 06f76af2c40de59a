"""What is shown of a sample: rounded, and held until it moved by more than its jitter.

So a GPU at 251 W ± 3 W sends nothing, and what did not move is the very same object.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from itertools import repeat

from jupyter_mlinfn.model.accelerators import Accelerator, GpuSnapshot, Holder, Memory, Signal

MIB = 2**20
KILOJOULE = 1000.0

# Smaller movements than these are not shown: percent points, W (or 3 %), °C, J, and a part of
# the device's memory. They are about what a steady load jitters by from second to second.
PERCENT_STEP = 5.0
POWER_STEP = 5.0
POWER_PART = 0.03
TEMPERATURE_STEP = 2.0
ENERGY_STEP = 10 * KILOJOULE
MEMORY_PARTS = 512
MEMORY_STEP = 16 * MIB


def settle(shown: GpuSnapshot | None, latest: GpuSnapshot) -> GpuSnapshot:
    """``latest`` as it is shown: rounded, small movements against ``shown`` held back."""
    before = {one.uuid: one for one in shown.accelerators} if shown else {}
    return latest.model_copy(
        update={
            "accelerators": tuple(
                _settle_one(before.get(one.uuid), one) for one in latest.accelerators
            ),
            "taken_at": _whole(latest.taken_at),
        }
    )


def _settle_one(shown: Accelerator | None, latest: Accelerator) -> Accelerator:
    """The very object that was shown when nothing moved: most devices, most seconds."""
    memory = latest.memory
    step = max(MEMORY_STEP, memory.total // MEMORY_PARTS) if memory else MEMORY_STEP
    power_step = max(POWER_STEP, POWER_PART * (latest.power or 0))
    if shown and _is_still(shown, latest, step, power_step):
        return shown
    old = shown or latest
    return latest.model_copy(
        update={
            "signal": _settle_signal(old.signal, latest.signal),
            "memory": memory and _settle_memory(old.memory, memory, step),
            "holders": _settle_holders(old.holders, latest.holders, step),
            "power": _rounded(old.power, latest.power, power_step),
            "energy": _kilojoules(old.energy, latest.energy),
            "temperature": _rounded(old.temperature, latest.temperature, TEMPERATURE_STEP),
            "taken_at": _whole(latest.taken_at),
        }
    )


def _is_still(shown: Accelerator, latest: Accelerator, step: int, power_step: float) -> bool:
    return (
        _is_still_signal(shown.signal, latest.signal)
        and _near(shown.power, latest.power, power_step)
        and _near(shown.energy, latest.energy, ENERGY_STEP)
        and _near(shown.temperature, latest.temperature, TEMPERATURE_STEP)
        and _is_still_memory(shown.memory, latest.memory, step)
        and _are_still_holders(shown.holders, latest.holders, step)
        and shown.state == latest.state
        and shown.problem == latest.problem
        and shown.taken_at == _whole(latest.taken_at)
        and layout(shown) == layout(latest)
    )


def _near(shown: float | None, latest: float | None, step: float) -> bool:
    """Whether what is shown may stay."""
    if shown is None or latest is None:
        return shown is latest
    return latest == shown or (latest != 0 and -step < latest - shown < step)


def _is_still_signal(shown: Signal, latest: Signal) -> bool:
    return (
        shown.state == latest.state
        and shown.measurement == latest.measurement
        and _near(shown.percent, latest.percent, PERCENT_STEP)
        and shown.since == _whole(latest.since)
    )


def _is_still_memory(shown: Memory | None, latest: Memory | None, step: int) -> bool:
    if shown is None or latest is None:
        return shown is latest
    return shown is latest or _near(shown.used, latest.used, step)


def _are_still_holders(shown: tuple[Holder, ...], latest: tuple[Holder, ...], step: int) -> bool:
    return len(shown) == len(latest) and all(map(_is_still_holder, shown, latest, repeat(step)))


def _is_still_holder(shown: Holder, latest: Holder, step: int) -> bool:
    return shown is latest or (
        _near(shown.memory, latest.memory, step) and who(shown) == who(latest)
    )


def _settle_signal(shown: Signal, latest: Signal) -> Signal:
    old = shown.percent if shown.state == latest.state else None
    percent = _rounded(old, latest.percent, PERCENT_STEP)
    return latest.model_copy(update={"percent": percent, "since": _whole(latest.since)})


def _settle_memory(shown: Memory | None, latest: Memory, step: int) -> Memory:
    used = _settle_bytes(shown.used if shown else None, latest.used, step)
    return latest if used == latest.used else Memory(total=latest.total, used=used)


def _settle_holders(
    shown: tuple[Holder, ...], latest: tuple[Holder, ...], step: int
) -> tuple[Holder, ...]:
    before = {one.pid: one.memory for one in shown}
    return tuple(_settle_holder(before.get(one.pid), one, step) for one in latest)


def _settle_holder(shown: int | None, latest: Holder, step: int) -> Holder:
    if latest.memory is None:
        return latest
    memory = _settle_bytes(shown, latest.memory, step)
    return latest if memory == latest.memory else latest.model_copy(update={"memory": memory})


def _settle_bytes(shown: int | None, latest: int, step: int) -> int:
    return round(_held(shown, latest, step) / MIB) * MIB


def _held(shown: float | None, latest: float, step: float) -> float:
    """The shown value while the latest is nearer to it than ``step``. Zero is always shown."""
    if shown is None or latest == 0 or abs(latest - shown) >= step:
        return latest
    return shown


def _rounded(shown: float | None, latest: float | None, step: float) -> float | None:
    return None if latest is None else float(round(_held(shown, latest, step)))


def _kilojoules(shown: float | None, latest: float | None) -> float | None:
    if latest is None:
        return None
    return round(_held(shown, latest, ENERGY_STEP) / KILOJOULE) * KILOJOULE


@lru_cache(maxsize=256)  # a state lasts for many samples
def _whole(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(microsecond=0)


def layout(one: Accelerator) -> tuple[object, ...]:
    """Everything of a device that stays while it is there."""
    total = one.memory.total if one.memory else None
    return one.uuid, one.index, one.name, one.parent, one.mig, one.cut, one.power_limit, total


def who(one: Holder) -> tuple[object, ...]:
    """A holder but its memory."""
    return one.kind, one.title, one.pid, one.kernel_id, one.job_id, one.user, one.mine
