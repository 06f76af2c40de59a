"""Jobs on the one machine this runs on: no server, no daemon, no root needed.

Slots are claimed in the job index, every job has a detached supervisor, and one small dispatcher
per person starts what waits. Whoever submits starts what is missing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends import attempts, starting
from jupyter_mlinfn.jobs.backends.capacity import measure
from jupyter_mlinfn.jobs.backends.local_room import LocalRoom
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Observation
from jupyter_mlinfn.jobs.sweeps.following import as_record
from jupyter_mlinfn.jobs.sweeps.recorded import with_values
from jupyter_mlinfn.jobs.waking import wake
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import (
    WAITING,
    Forecast,
    JobId,
    JobRecord,
    JobSpec,
    Reason,
    Resources,
)
from jupyter_mlinfn.model.offer import GpuShape, Queue
from jupyter_mlinfn.process.detach import collect

_log = logging.getLogger(__name__)

_CANCELLED = Reason(
    code="cancelled-by-user", text="You cancelled this job before any of your code ran."
)


class LocalBackend:
    """Implements :class:`~.protocol.Backend` for this machine."""

    name: ClassVar[str] = starting.BACKEND
    title: ClassVar[str] = "This machine"
    shares_folder: ClassVar[bool] = True
    sweeps: ClassVar[bool] = True

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._room = LocalRoom(context)
        self._started_at = 0.0
        self._unreadable: set[str] = set()

    def missing(self) -> str:
        """Nothing: the machine is always there."""
        return ""

    def queues(self) -> tuple[Queue, ...]:
        """None: one line waits for this machine."""
        return ()

    def gpu_shapes(self) -> tuple[GpuShape, ...]:
        """The kinds of accelerators, and how many of each nobody holds."""
        return self._room.shapes()

    def limits(self) -> Resources:
        """All CPUs, memory and accelerators jobs may use here together."""
        return self._room.limits()

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """What is asked and can never be had on this machine."""
        return (*_no_place(queue, charge), *self._room.problems(resources))

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether a job asking for ``resources`` would start at once, in words."""
        return self._room.forecast(resources)

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

    def awaits(self, jobs: Sequence[JobRecord], *, sweep: bool) -> bool:
        """Where all run on this machine too: the dispatcher sees them end."""
        return all(one.backend == self.name for one in jobs)

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
        if record.sweep is not None:
            self._cancel_points(record, None)
            return
        if record.state in WAITING:
            if self._context.store.cancel_if_waiting(record.id, _CANCELLED):
                return
            record = self._context.store.get(record.id)
        if record.attempts:
            self._look_after(starting.newest_folder(self._context, record))
        wake(self._context.state_dir)

    def cancel_points(self, record: JobRecord, points: Sequence[int]) -> None:
        """As :meth:`cancel`, for some points of a sweep."""
        self._cancel_points(record, points)

    def heal(self) -> None:
        """Start the dispatcher when jobs wait or run and none lives."""
        collect()
        if starting.inside_a_job() or starting.dispatcher_lives(self._context):
            return
        if self._context.store.unfinished(self.name):
            self._start_dispatcher()

    def _cancel_points(self, record: JobRecord, numbers: Sequence[int] | None) -> None:
        """End points of a sweep, all where none are named; those that wait are ended at once."""
        points = self._context.store.points
        points.cancel_waiting(record.id, _CANCELLED, numbers)
        for point in points.active(record.id):
            if numbers is None or point.index in numbers:
                one = as_record(record, point)
                self._look_after(starting.newest_folder(self._context, one, point.index))
        wake(self._context.state_dir)

    def _look_after(self, folder: AttemptFolder) -> None:
        """Have the word read where no supervisor lives to read it."""
        orphan = folder.claim.exists() and attempts.life(folder) == "unsupervised"
        if orphan and not starting.inside_a_job():
            starting.start_supervisor(folder)

    def _sweep(self, record: JobRecord) -> Observation:
        found = {}
        for point in self._context.store.points.active(record.id):
            one = as_record(record, point)
            folder = starting.newest_folder(self._context, one, point.index)
            found[point.index] = with_values(attempts.observe(folder, one), folder.path)
        return Observation(state=record.state, reason=record.reason, points=found)

    def _observe(self, record: JobRecord) -> Observation:
        if record.sweep is not None:
            return self._sweep(record)
        if record.state in WAITING or not record.attempts:
            return Observation(state=record.state, attempt=record.attempts, reason=record.reason)
        return attempts.observe(starting.newest_folder(self._context, record), record)

    def _start_dispatcher(self) -> None:
        """At most one every two seconds, where each dies at once."""
        if time.monotonic() - self._started_at > 2.0:
            self._started_at = time.monotonic()
            starting.start_dispatcher(self._context)


def free_accelerators(context: BackendContext) -> tuple[FreeAccelerator, ...]:
    """See :meth:`LocalRoom.free_accelerators`."""
    return LocalRoom(context).free_accelerators()


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
