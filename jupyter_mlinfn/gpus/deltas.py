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

:func:`~jupyter_mlinfn.gpus.settling.settle` comes before: memory is whole MiB. What clients see is
its snapshot: full frame plus deltas is exactly equal to it (:func:`apply`, and a property test).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jupyter_mlinfn.gpus.settling import KILOJOULE, MIB, layout, who
from jupyter_mlinfn.model.accelerators import Accelerator, GpuSnapshot, Holder, Memory, Signal


def _epoch(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)


def _integer(value: float | None) -> int | None:
    return None if value is None else int(value)


_FIELDS: Mapping[str, Callable[[Accelerator], Any]] = {
    "u": lambda one: _integer(one.signal.percent),
    "s": lambda one: [one.signal.state, one.signal.measurement, _epoch(one.signal.since)],
    "m": lambda one: one.memory.used // MIB if one.memory else None,
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
        if layout(old) != layout(new):
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
    if [who(one) for one in old] != [who(one) for one in new]:
        changes.setdefault("h", {})[place] = [
            one.model_dump(mode="json", exclude_none=True) for one in new
        ]
        return
    changes.setdefault("k", {})[place] = {
        str(at): None if after.memory is None else after.memory // MIB
        for at, (before, after) in enumerate(zip(old, new, strict=True))
        if before.memory != after.memory
    }


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
