"""Jobs on the one machine this runs on: no server, no daemon, no root needed.

Slots are claimed in the job index, every job has a detached supervisor, and one small dispatcher
per person starts what waits. Whoever submits starts what is missing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from jupyter_mlinfn.jobs import accelerator_locks
from jupyter_mlinfn.jobs.backends import attempts, starting
from jupyter_mlinfn.jobs.backends.capacity import measure
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Claim, Observation
from jupyter_mlinfn.jobs.waking import wake
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.errors import MlinfnError, Problem, Unavailable
from jupyter_mlinfn.model.jobs import (
    WAITING,
    Forecast,
    JobId,
    JobRecord,
    JobSpec,
    Reason,
    Resources,
)
from jupyter_mlinfn.model.offer import Queue
from jupyter_mlinfn.model.quantities import MAX_DURATION, show_memory
from jupyter_mlinfn.process.detach import collect
from jupyter_mlinfn.process.identity import this_machine

_log = logging.getLogger(__name__)

_LEAST_MEMORY = 64 * 2**20
_DEVICES_FOR = 30.0
_CANCELLED = Reason(
    code="cancelled-by-user", text="You cancelled this job before any of your code ran."
)


class LocalBackend:
    """Implements :class:`~.protocol.Backend` for this machine."""

    name: ClassVar[str] = starting.BACKEND
    title: ClassVar[str] = "This machine"
    shares_folder: ClassVar[bool] = True

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._devices: tuple[float, int] = (0.0, 0)
        self._started_at = 0.0
        self._unreadable: set[str] = set()

    def missing(self) -> str:
        """Nothing: the machine is always there."""
        return ""

    def queues(self) -> tuple[Queue, ...]:
        """None: one line waits for this machine."""
        return ()

    def limits(self) -> Resources:
        """All CPUs, memory and accelerators jobs may use here together."""
        capacity = measure(self._context.local)
        return Resources(
            cpus=capacity.cpus,
            memory=capacity.memory,
            gpus=min(64, self._known_devices()),
            time=MAX_DURATION,
        )

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """What is asked and can never be had on this machine."""
        capacity = measure(self._context.local)
        problems = _no_place(queue, charge)
        if resources.cpus > capacity.cpus:
            text = f"Jobs on this machine may use {capacity.cpus} CPUs, not {resources.cpus}."
            problems.append(_too_much("resources.cpus", text))
        if resources.memory > capacity.memory:
            text = (
                f"Jobs on this machine may use {show_memory(capacity.memory)} of memory, "
                f"not {show_memory(resources.memory)}."
            )
            problems.append(_too_much("resources.memory", text))
        if resources.memory < _LEAST_MEMORY:
            text = f"A job needs at least {show_memory(_LEAST_MEMORY)} of memory to start."
            problems.append(Problem(code="asks-too-little", text=text, field="resources.memory"))
        if resources.gpus and resources.gpus > self._schedulable():
            there = self._schedulable()
            text = f"This machine has {there} GPUs for jobs, not {resources.gpus}."
            if not there:
                text = "No GPU was found on this machine. Ask for 0 GPUs to run without one."
            problems.append(_too_much("resources.gpus", text))
        return tuple(problems)

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether a job asking for ``resources`` would start at once, in words."""
        waiting = len(self._context.store.waiting(self.name))
        claims = self._context.store.claims(this_machine().host)
        capacity = measure(self._context.local)
        cpus = capacity.cpus - sum(claim.cpus for claim in claims)
        memory = capacity.memory - sum(claim.memory for claim in claims)
        if waiting:
            text = f"Would wait on this machine behind {_jobs(waiting)}."
        elif resources.cpus > cpus or resources.memory > memory:
            text = (
                f"Would wait on this machine: {_jobs(len(claims))} of yours leave "
                f"{max(0, cpus)} CPUs and {show_memory(max(0, memory))} free."
            )
        elif resources.gpus and resources.gpus > self._free_devices(claims):
            text = "Would wait on this machine until enough GPUs are free."
        else:
            return Forecast(starts_now=True, text="Would start now on this machine.")
        return Forecast(starts_now=False, text=text)

    def submit(self, spec: JobSpec) -> str:
        """See to it that the job starts as soon as it can; its id here is the job's own.

        Without a living dispatcher it is started from here when there is room: the person does
        not wait for a program to start that then starts a program.
        """
        if not wake(self._context.state_dir) and not starting.inside_a_job():
            if not spec.resources.gpus:
                self._start_at_once()
            self._start_dispatcher()
        return spec.id

    def _start_at_once(self) -> None:
        try:
            starting.start_next(self._context, measure(self._context.local), ())
        except OSError as error:
            # the job is in the index: the dispatcher finishes what was begun here
            _log.warning("A job could not be started at once: %s", error)

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        """What the job folders say; waiting jobs wait. Silence where a folder cannot be read."""
        seen = {}
        for record in records:
            try:
                seen[record.id] = self._observe(record)
            except OSError as error:
                if record.id not in self._unreadable:
                    self._unreadable.add(record.id)
                    _log.warning("The folder of job %s cannot be read: %s", record.id, error)
        return seen

    def cancel(self, record: JobRecord) -> None:
        """Leave the word in the job's folder, and see to it that somebody reads it."""
        if not self._context.folders.job(record.id).is_dir():
            return  # the next look finds that the folder is gone, and says so
        self._context.folders.request_cancel(record.id)
        if record.state in WAITING:
            if self._context.store.cancel_if_waiting(record.id, _CANCELLED):
                return
            record = self._context.store.get(record.id)
        folder = starting.newest_folder(self._context, record)
        orphan = record.attempts and folder.claim.exists()
        if orphan and attempts.life(folder) == "unsupervised" and not starting.inside_a_job():
            starting.start_supervisor(folder)
        wake(self._context.state_dir)

    def heal(self) -> None:
        """Start the dispatcher when jobs wait or run and none lives."""
        collect()
        if starting.inside_a_job() or starting.dispatcher_lives(self._context):
            return
        if self._context.store.unfinished(self.name):
            self._start_dispatcher()

    def _observe(self, record: JobRecord) -> Observation:
        if record.state in WAITING or not record.attempts:
            return Observation(state=record.state, attempt=record.attempts, reason=record.reason)
        return attempts.observe(starting.newest_folder(self._context, record), record)

    def _start_dispatcher(self) -> None:
        """At most one every two seconds: the first needs a moment to take its lock."""
        if time.monotonic() - self._started_at > 2.0:
            self._started_at = time.monotonic()
            starting.start_dispatcher(self._context)

    def _known_devices(self) -> int:
        """As :meth:`_schedulable`; none while the driver is silent: a form must open."""
        try:
            return self._schedulable()
        except Unavailable:
            return 0

    def _schedulable(self) -> int:
        """How many accelerators there are; remembered for half a minute, asking takes long."""
        asked_at, count = self._devices
        if not asked_at or time.monotonic() - asked_at > _DEVICES_FOR:
            count = len(self._context.accelerators.schedulable())
            self._devices = (time.monotonic(), count)
        return count

    def _free_devices(self, claims: Sequence[Claim]) -> int:
        taken = {uuid for claim in claims for uuid in claim.accelerators}
        return len([d for d in free_accelerators(self._context) if d.uuid not in taken])


def free_accelerators(context: BackendContext) -> tuple[FreeAccelerator, ...]:
    """Accelerators on which nobody holds memory and no job of anybody holds the lock.

    None where they cannot be asked for now: then jobs that need one wait.
    """
    folder = starting.lock_folder(context)
    try:
        free = context.accelerators.free()
    except MlinfnError:
        return ()
    return tuple(d for d in free if not accelerator_locks.is_held(folder, d.uuid))


def _no_place(queue: str | None, charge: str | None) -> list[Problem]:
    asked = (
        (queue, "queue", "This machine has no queues. Leave the queue out, or choose a back-end."),
        (charge, "charge", "Nobody is charged for jobs on this machine. Leave the account out."),
    )
    return [
        Problem(code=f"unknown-{field}", text=text, field=field)
        for name, field, text in asked
        if name is not None
    ]


def _too_much(field: str, text: str) -> Problem:
    return Problem(code="asks-too-much", text=text, field=field)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
