"""What the one machine has for jobs, whether it is enough, and when it is free."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from jupyter_mlinfn.jobs import accelerator_locks
from jupyter_mlinfn.jobs.backends import shapes, starting
from jupyter_mlinfn.jobs.backends.capacity import measure
from jupyter_mlinfn.jobs.backends.expecting import Share, Work, starts_within
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Claim
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.errors import MlinfnError, Problem, Unavailable
from jupyter_mlinfn.model.jobs import Forecast, JobRecord, Resources
from jupyter_mlinfn.model.offer import GpuShape
from jupyter_mlinfn.model.quantities import MAX_DURATION, show_memory, show_moment
from jupyter_mlinfn.process.identity import this_machine

LEAST_MEMORY: Final = 64 * 2**20
HERE: Final = "on this machine"

_DEVICES_FOR: Final = 30.0


class LocalRoom:
    """CPUs, memory and accelerators of this machine, as jobs may use them."""

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._devices: tuple[float, tuple[FreeAccelerator, ...]] = (0.0, ())

    def limits(self) -> Resources:
        """All that jobs may use here together."""
        capacity = measure(self._context.local)
        try:
            gpus = len(self._schedulable())
        except Unavailable:
            gpus = 0  # a form must open while the driver is silent
        return Resources(
            cpus=capacity.cpus, memory=capacity.memory, gpus=min(64, gpus), time=MAX_DURATION
        )

    def shapes(self) -> tuple[GpuShape, ...]:
        """The kinds of accelerators, smallest first; none while the driver is silent."""
        try:
            there = Counter((one.name, one.memory) for one in self._schedulable())
        except Unavailable:
            return ()
        free: Counter[str] = Counter()
        if there:
            claims = self._context.store.claims(this_machine().host)
            taken = {uuid for claim in claims for uuid in claim.accelerators}
            free.update(d.name for d in self.free_accelerators() if d.uuid not in taken)
        return tuple(
            GpuShape(name=name, memory=memory, total=count, free=free[name])
            for (name, memory), count in sorted(there.items(), key=lambda one: one[0][1] or 0)
        )

    def problems(self, asked: Resources) -> list[Problem]:
        """What is asked and can never be had here.

        Raises :class:`Unavailable` when GPUs are asked for and the driver is silent.
        """
        capacity = measure(self._context.local)
        found = []
        if asked.cpus > capacity.cpus:
            text = f"Jobs on this machine may use {capacity.cpus} CPUs, not {asked.cpus}."
            found.append(_too_much("resources.cpus", text))
        if asked.memory > capacity.memory:
            text = (
                f"Jobs on this machine may use {show_memory(capacity.memory)} of memory, "
                f"not {show_memory(asked.memory)}."
            )
            found.append(_too_much("resources.memory", text))
        if asked.memory < LEAST_MEMORY:
            text = f"A job needs at least {show_memory(LEAST_MEMORY)} of memory to start."
            found.append(Problem(code="asks-too-little", text=text, field="resources.memory"))
        return found + (self._without_gpus(asked) if asked.gpus else [])

    def notes(self, asked: Resources) -> str:
        """What of a slice's memory the driver keeps, where that is less than was asked for."""
        if not asked.gpus or asked.gpu_memory is None:
            return ""
        fitting = shapes.suiting(self._schedulable(), asked.gpu_memory, asked.gpu_model)
        if not fitting or (fitting[0].memory or 0) >= asked.gpu_memory:
            return ""
        usable = show_memory(fitting[0].memory or 0)
        return f" Of its GPU's {show_memory(asked.gpu_memory)} the job can use {usable}."

    def forecast(self, asked: Resources) -> Forecast:
        """Whether a job asking for this would start at once; if not, by when at the latest."""
        store = self._context.store
        waiting = store.waiting(starting.BACKEND)
        claims = store.claims(this_machine().host)
        free = self._free(claims, asked)
        share = _share(asked)
        if not waiting and share.within(free):
            text = f"Would start now on this machine.{self.notes(asked)}"
            return Forecast(starts_now=True, text=text, position=0)
        running = self._running(claims, store.active(starting.BACKEND))
        behind = [Work(_share(one.resources), one.resources.time) for one in waiting]
        seconds = starts_within(share, free, running, behind)
        text = _why(asked, free, len(claims), len(waiting))
        if seconds is None:
            return Forecast(starts_now=False, text=text, position=len(waiting))
        now = datetime.now(UTC)
        expected = now + timedelta(seconds=seconds)
        text += f" Its turn comes about {show_moment(expected, now)} at the latest."
        return Forecast(starts_now=False, text=text, position=len(waiting), expected_start=expected)

    def free_accelerators(self) -> tuple[FreeAccelerator, ...]:
        """Accelerators on which nobody holds memory and no job of anybody holds the lock.

        None where they cannot be asked for now: then jobs that need one wait.
        """
        folder = starting.lock_folder(self._context)
        try:
            free = self._context.accelerators.free()
        except MlinfnError:
            return ()
        return tuple(d for d in free if not accelerator_locks.is_held(folder, d.uuid))

    def _without_gpus(self, asked: Resources) -> list[Problem]:
        devices = self._schedulable()
        if asked.gpus > len(devices):
            text = f"This machine has {len(devices)} GPUs for jobs, not {asked.gpus}."
            if not devices:
                text = "No GPU was found on this machine. Ask for 0 GPUs to run without one."
            return [_too_much("resources.gpus", text)]
        return shapes.problems(_kinds(devices, asked), asked, HERE)

    def _free(self, claims: Sequence[Claim], asked: Resources) -> Share:
        capacity = measure(self._context.local)
        gpus = 0
        if asked.gpus:
            taken = {uuid for claim in claims for uuid in claim.accelerators}
            there = [one for one in self.free_accelerators() if one.uuid not in taken]
            gpus = len(shapes.suiting(there, asked.gpu_memory, asked.gpu_model))
        return Share(
            capacity.cpus - sum(claim.cpus for claim in claims),
            capacity.memory - sum(claim.memory for claim in claims),
            gpus,
        )

    def _running(self, claims: Sequence[Claim], active: Sequence[JobRecord]) -> list[Work]:
        records = {one.id: one for one in active}
        return [
            Work(
                Share(claim.cpus, claim.memory, len(claim.accelerators)),
                _left(records.get(claim.job), claim),
            )
            for claim in claims
        ]

    def _schedulable(self) -> tuple[FreeAccelerator, ...]:
        """The accelerators there are; remembered for half a minute, asking takes long."""
        asked_at, devices = self._devices
        if not asked_at or time.monotonic() - asked_at > _DEVICES_FOR:
            devices = self._context.accelerators.schedulable()
            self._devices = (time.monotonic(), devices)
        return devices


def _kinds(devices: Iterable[FreeAccelerator], asked: Resources) -> list[shapes.Shape]:
    """The devices as kinds. All that are enough count together: a job may have unlike ones."""
    counted = Counter((one.name, one.memory) for one in devices)
    enough = sum(
        count for (name, memory), count in counted.items() if shapes.suits(name, memory, asked)
    )
    host = this_machine().host
    return [shapes.Shape(name, memory, enough or 1, host) for name, memory in counted]


def _share(asked: Resources) -> Share:
    return Share(asked.cpus, asked.memory, asked.gpus)


def _left(record: JobRecord | None, claim: Claim) -> float:
    """Seconds that a running job may still take."""
    if record is None:
        return 0.0
    if record.started_at is None or claim.point is not None:
        return float(record.resources.time)
    gone = (datetime.now(UTC) - record.started_at).total_seconds()
    return max(0.0, record.resources.time - gone)


def _why(asked: Resources, free: Share, running: int, waiting: int) -> str:
    if waiting:
        return f"Would wait on this machine behind {_jobs(waiting)}."
    if asked.cpus > free.cpus or asked.memory > free.memory:
        return (
            f"Would wait on this machine: {_jobs(running)} of yours leave "
            f"{max(0, free.cpus)} CPUs and {show_memory(max(0, free.memory))} free."
        )
    return "Would wait on this machine until enough GPUs are free."


def _too_much(field: str, text: str) -> Problem:
    return Problem(code="asks-too-much", text=text, field=field)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
