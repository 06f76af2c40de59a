"""What the machines of a pool offer here and now. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from jupyter_mlinfn.jobs.backends import shapes
from jupyter_mlinfn.jobs.backends.htcondor.describing import POOL
from jupyter_mlinfn.jobs.backends.htcondor.parsing import Device, Slot
from jupyter_mlinfn.jobs.backends.limits import too_much
from jupyter_mlinfn.jobs.backends.shapes import Shape
from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import Forecast, Resources
from jupyter_mlinfn.model.offer import GpuShape, Queue, Room
from jupyter_mlinfn.model.quantities import MAX_DURATION

HERE: Final = "in this HTCondor pool"


def queue(slots: Sequence[Slot]) -> Queue:
    """The whole pool: HTCondor chooses among all its machines."""
    taking = [slot for slot in slots if slot.takes_jobs]
    return Queue(
        name=POOL,
        default=True,
        cpus=sum(slot.cpus for slot in slots),
        memory=sum(slot.memory for slot in slots),
        gpus=sum(slot.gpus for slot in slots),
        gpu_models=tuple(sorted({shape.name for shape in kinds(slots)})),
        gpu_shapes=_shapes(slots),
        free=Room(
            cpus=sum(slot.cpus_free for slot in taking),
            memory=sum(slot.memory_free for slot in taking),
            gpus=sum(slot.gpus_free for slot in taking),
        ),
        text="" if taking else "No machine takes jobs for now.",
    )


def limits(slots: Sequence[Slot]) -> Resources:
    """The most one job, which has one machine, can ask for."""
    return Resources(
        cpus=_within(max((slot.cpus for slot in slots), default=1), 1, 4096),
        memory=max(max((slot.memory for slot in slots), default=0), 2**20),
        gpus=_within(max((slot.gpus for slot in slots), default=0), 0, 64),
        time=MAX_DURATION,
    )


def sized(slots: Sequence[Slot], told: Mapping[str, int]) -> tuple[Slot, ...]:
    """The machines with the memory of every accelerator, as far as anybody knows it: by the owner's
    word (``told``, in bytes by kind), by the machine's own, by the name."""
    return tuple(
        replace(slot, devices=tuple(_sized(one, told) for one in slot.devices)) for slot in slots
    )


def kinds(slots: Sequence[Slot]) -> tuple[Shape, ...]:
    """The kinds of accelerators, with the most that one machine has of each."""
    found: dict[str, Shape] = {}
    for slot in slots:
        counts = Counter(device.model for device in slot.devices if device.model)
        memory = {device.model: device.memory for device in slot.devices}
        for model, count in counts.items():
            if model not in found or found[model].count < count:
                found[model] = Shape(model, memory[model], count, slot.machine)
    return tuple(found.values())


def chosen(slots: Sequence[Slot], asked: Resources) -> str | None:
    """The kind a job gets that asked for a model or for memory; ``None``: it asked for neither, or
    there is none."""
    if not asked.gpus or (asked.gpu_model is None and asked.gpu_memory is None):
        return None
    kind = shapes.smallest(kinds(slots), asked)
    return kind.name if kind else None


def problems(slots: Sequence[Slot], asked: Resources, domain: str | None) -> list[Problem]:
    """Why a job could never run; ``domain``: the file system this machine shares, ``None``: job
    folders travel."""
    if not slots:
        return []
    if not _sharing(slots, domain):
        text = (
            f"No machine of this HTCondor pool shares the folders of this one (file system "
            f"{domain!r}; there: {', '.join(sorted({slot.domain for slot in slots})[:5])}). "
            "The setting htcondor_options can name the file system that they share."
        )
        return [Problem(code="no-shared-folder", text=text, field="backend")]
    here = _sharing(slots, domain)
    most = limits(here)
    found = too_much(asked, most, HERE)
    found += shapes.problems(kinds(here), asked, HERE)
    if not found and not any(_could(slot, asked) for slot in here):
        text = f"No single machine {HERE} has all that this job asks for."
        found.append(Problem(code="asks-too-much", text=text, field="resources"))
    return found


def forecast(slots: Sequence[Slot], asked: Resources, domain: str | None) -> Forecast:
    """Whether such a job would find room now."""
    here = [slot for slot in _sharing(slots, domain) if slot.takes_jobs]
    if any(_fits(slot, asked) for slot in here):
        text = f"There is room {HERE} now; HTCondor decides whose turn it is."
        return Forecast(starts_now=True, text=text)
    if not here:
        return Forecast(starts_now=False, text=f"Would wait: no machine {HERE} takes jobs for now.")
    return Forecast(starts_now=False, text=f"Would wait: no machine {HERE} has enough free now.")


def _shapes(slots: Sequence[Slot]) -> tuple[GpuShape, ...]:
    """The kinds of accelerators in all machines together, smallest first."""
    devices = [one for slot in slots for one in slot.devices if one.model]
    total = Counter(one.model for one in devices)
    taking = [one for slot in slots if slot.takes_jobs for one in slot.devices]
    free = Counter(one.model for one in taking if one.free)
    memory = {one.model: one.memory for one in devices}
    found = [
        GpuShape(name=name, memory=memory[name], total=total[name], free=free[name])
        for name in total
    ]
    return tuple(sorted(found, key=lambda one: (one.memory or 0, one.name)))


def _sharing(slots: Sequence[Slot], domain: str | None) -> list[Slot]:
    return [slot for slot in slots if domain is None or slot.domain.lower() == domain.lower()]


def _could(slot: Slot, asked: Resources) -> bool:
    enough = slot.cpus >= asked.cpus and slot.memory >= asked.memory
    return enough and _devices(slot, asked, free=False) >= asked.gpus


def _fits(slot: Slot, asked: Resources) -> bool:
    enough = slot.cpus_free >= asked.cpus and slot.memory_free >= asked.memory
    return enough and _devices(slot, asked, free=True) >= asked.gpus


def _devices(slot: Slot, asked: Resources, *, free: bool) -> int:
    """How many accelerators of the slot suit."""
    if asked.gpu_model is None and asked.gpu_memory is None:
        return slot.gpus_free if free else slot.gpus
    suiting = [one for one in slot.devices if shapes.suits(one.model, one.memory, asked)]
    return sum(one.free for one in suiting) if free else len(suiting)


def _sized(device: Device, told: Mapping[str, int]) -> Device:
    memory = told.get(device.model) or device.memory or shapes.memory_of(device.model, told)
    return replace(device, memory=memory)


def _within(value: int, least: int, most: int) -> int:
    return max(least, min(most, value))
