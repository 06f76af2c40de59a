"""What changed between two snapshots, in few bytes.

A client gets one full :class:`GpuSnapshot` and then deltas ``{"t": …, "a": …}``:

- ``t``: when the newer sample was taken, whole seconds since the epoch.
- ``a``: ``{field: {position: value}}``; *position* is the accelerator's place in the
  ``accelerators`` list of the full frame, as text. UUIDs would cost 40 bytes a change; the
  layout is fixed between two full frames, because :func:`delta` answers ``None`` when a device
  came, went or was cut anew, and then a full frame must be sent.

=====  =====================================================================================
field  value
=====  =====================================================================================
``u``  ``signal.percent``, whole percent, or null
``s``  ``signal`` but its percent: ``[state, measurement, since]``; since in epoch seconds or null
``m``  ``memory.used`` in MiB
``p``  ``power`` in whole W, or null
``e``  ``energy`` in kJ, or null
``c``  ``temperature`` in whole °C, or null
``x``  ``[state, problem, taken_at]``; taken_at in epoch seconds or null
``h``  ``holders``, the whole new list, as in the full frame without its nulls
``k``  memory of holders: ``{place in holders: MiB or null}``
=====  =====================================================================================

:func:`settle` comes before: it rounds and holds a value until it moved by more than its
jitter, so that a GPU at 251 W ± 3 W sends nothing. What clients see is ``settle``'s snapshot:
full frame plus deltas is exactly equal to it (:func:`apply`, and a property test).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

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
    memory, old = latest.memory, shown.memory if shown else None
    step = max(MEMORY_STEP, memory.total // MEMORY_PARTS) if memory else MEMORY_STEP
    power_step = max(POWER_STEP, POWER_PART * (latest.power or 0))
    if (
        shown
        and _near(shown.power, latest.power, power_step)
        and _near(shown.energy, latest.energy, ENERGY_STEP)
        and _near(shown.temperature, latest.temperature, TEMPERATURE_STEP)
        and _near(old.used if old else None, memory.used if memory else None, step)
        and _still_signal(shown.signal, latest.signal)
        and _still_holders(shown.holders, latest.holders, step)
        and (shown.state, shown.problem) == (latest.state, latest.problem)
        and shown.taken_at == _whole(latest.taken_at)
        and _layout(shown) == _layout(latest)
    ):
        return shown
    if memory:
        used = _mebibytes(_held(old.used if old else None, memory.used, step)) * MIB
        memory = Memory(total=memory.total, used=used)
    return latest.model_copy(
        update={
            "signal": _settle_signal(shown.signal if shown else None, latest.signal),
            "memory": memory,
            "holders": _settle_holders(shown.holders if shown else (), latest.holders, step),
            "power": _rounded(shown.power if shown else None, latest.power, power_step),
            "energy": _kilojoules(shown.energy if shown else None, latest.energy),
            "temperature": _rounded(
                shown.temperature if shown else None, latest.temperature, TEMPERATURE_STEP
            ),
            "taken_at": _whole(latest.taken_at),
        }
    )


def _near(shown: float | None, latest: float | None, step: float) -> bool:
    """Whether what is shown may stay."""
    if shown is None or latest is None:
        return shown is latest
    return latest == shown or (latest != 0 and abs(latest - shown) < step)


def _still_signal(shown: Signal, latest: Signal) -> bool:
    return (
        shown.state == latest.state
        and shown.measurement == latest.measurement
        and _near(shown.percent, latest.percent, PERCENT_STEP)
        and shown.since == _whole(latest.since)
    )


def _still_holders(shown: tuple[Holder, ...], latest: tuple[Holder, ...], step: int) -> bool:
    return len(shown) == len(latest) and all(
        _near(old.memory, new.memory, step) and _who(old) == _who(new)
        for old, new in zip(shown, latest, strict=True)
    )


def _settle_signal(shown: Signal | None, latest: Signal) -> Signal:
    old = shown.percent if shown and shown.state == latest.state else None
    percent = _rounded(old, latest.percent, PERCENT_STEP)
    return latest.model_copy(update={"percent": percent, "since": _whole(latest.since)})


def _settle_holders(
    shown: tuple[Holder, ...], latest: tuple[Holder, ...], step: int
) -> tuple[Holder, ...]:
    before = {one.pid: one.memory for one in shown}
    return tuple(
        one
        if one.memory is None
        else one.model_copy(
            update={"memory": _mebibytes(_held(before.get(one.pid), one.memory, step)) * MIB}
        )
        for one in latest
    )


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


def _mebibytes(amount: float) -> int:
    return round(amount / MIB)


def _whole(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(microsecond=0)


def _epoch(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)


def _integer(value: float | None) -> int | None:
    return None if value is None else int(value)


def _layout(one: Accelerator) -> tuple[object, ...]:
    """What a delta cannot carry."""
    total = one.memory.total if one.memory else None
    return one.uuid, one.index, one.name, one.parent, one.mig, one.cut, one.power_limit, total


_FIELDS: Mapping[str, Callable[[Accelerator], Any]] = {
    "u": lambda one: _integer(one.signal.percent),
    "s": lambda one: [one.signal.state, one.signal.measurement, _epoch(one.signal.since)],
    "m": lambda one: _mebibytes(one.memory.used) if one.memory else None,
    "p": lambda one: _integer(one.power),
    "e": lambda one: None if one.energy is None else int(one.energy / KILOJOULE),
    "c": lambda one: _integer(one.temperature),
    "x": lambda one: [one.state, one.problem, _epoch(one.taken_at)],
}


def delta(previous: GpuSnapshot, current: GpuSnapshot) -> dict[str, Any] | None:
    """From one settled snapshot to the next; ``None``: send a full frame instead."""
    if (previous.facts, previous.missing, previous.simulated) != (
        current.facts,
        current.missing,
        current.simulated,
    ) or len(previous.accelerators) != len(current.accelerators):
        return None
    changes: dict[str, dict[str, Any]] = {}
    for place, (old, new) in enumerate(
        zip(previous.accelerators, current.accelerators, strict=True)
    ):
        if old is new:
            continue
        if _layout(old) != _layout(new):
            return None
        for field, value_of in _FIELDS.items():
            value = value_of(new)
            if value != value_of(old):
                changes.setdefault(field, {})[str(place)] = value
        _add_holders(changes, str(place), old.holders, new.holders)
    return {"t": _epoch(current.taken_at) or 0, "a": changes}


def _add_holders(
    changes: dict[str, dict[str, Any]],
    place: str,
    old: tuple[Holder, ...],
    new: tuple[Holder, ...],
) -> None:
    if old == new:
        return
    if [_who(one) for one in old] != [_who(one) for one in new]:
        changes.setdefault("h", {})[place] = [
            one.model_dump(mode="json", exclude_none=True) for one in new
        ]
        return
    changes.setdefault("k", {})[place] = {
        str(at): None if after.memory is None else _mebibytes(after.memory)
        for at, (before, after) in enumerate(zip(old, new, strict=True))
        if before.memory != after.memory
    }


def _who(one: Holder) -> tuple[object, ...]:
    """A holder but its memory."""
    return one.kind, one.title, one.pid, one.kernel_id, one.job_id, one.user, one.mine


def apply(full: GpuSnapshot, change: Mapping[str, Any]) -> GpuSnapshot:
    """The snapshot after ``change``: what a client has to do, as the reference for it."""
    taken_at = _moment(change["t"]) if full.taken_at or change["t"] else None
    by_place: dict[int, dict[str, Any]] = {}
    for field, values in change["a"].items():
        for place, value in values.items():
            by_place.setdefault(int(place), {})[field] = value
    accelerators = tuple(
        _apply_one(one, by_place[place]) if place in by_place else one
        for place, one in enumerate(full.accelerators)
    )
    return full.model_copy(update={"accelerators": accelerators, "taken_at": taken_at})


def _apply_one(one: Accelerator, fields: Mapping[str, Any]) -> Accelerator:
    update: dict[str, Any] = {}
    for field, name, unit in (
        ("p", "power", 1.0),
        ("e", "energy", KILOJOULE),
        ("c", "temperature", 1.0),
    ):
        if field in fields:
            update[name] = None if fields[field] is None else fields[field] * unit
    if "m" in fields and one.memory:
        update["memory"] = Memory(total=one.memory.total, used=fields["m"] * MIB)
    if fields.keys() & {"u", "s"}:
        update["signal"] = _apply_signal(one.signal, fields)
    if "x" in fields:
        update["state"], update["problem"], stopped = fields["x"]
        update["taken_at"] = _moment(stopped)
    if "h" in fields:
        update["holders"] = tuple(Holder.model_validate(row) for row in fields["h"])
    elif "k" in fields:
        update["holders"] = tuple(
            holder.model_copy(update={"memory": _bytes(fields["k"][str(at)])})
            if str(at) in fields["k"]
            else holder
            for at, holder in enumerate(one.holders)
        )
    return one.model_copy(update=update)


def _apply_signal(signal: Signal, fields: Mapping[str, Any]) -> Signal:
    update: dict[str, Any] = {}
    if "u" in fields:
        update["percent"] = None if fields["u"] is None else float(fields["u"])
    if "s" in fields:
        update["state"], update["measurement"], since = fields["s"]
        update["since"] = _moment(since)
    return signal.model_copy(update=update)


def _bytes(mebibytes: int | None) -> int | None:
    return None if mebibytes is None else mebibytes * MIB
