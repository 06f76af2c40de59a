"""Jobs on Slurm, in a folder that its machines see too."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from jupyter_mlinfn.jobs.after import unfinished
from jupyter_mlinfn.jobs.backends.arrays import ArrayBackend
from jupyter_mlinfn.jobs.backends.evictable import told_queues
from jupyter_mlinfn.jobs.backends.limits import WIDEST
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, SlurmSettings
from jupyter_mlinfn.jobs.backends.remembering import Remembered
from jupyter_mlinfn.jobs.backends.slurm import room, states
from jupyter_mlinfn.jobs.backends.slurm.accounting import Accounting, Place
from jupyter_mlinfn.jobs.backends.slurm.calls import Calls, Local, Transport
from jupyter_mlinfn.jobs.backends.slurm.far import Far
from jupyter_mlinfn.jobs.backends.slurm.farpoints import FarPoints
from jupyter_mlinfn.jobs.backends.slurm.parsing import Group, SlurmJob
from jupyter_mlinfn.jobs.backends.slurm.script import (
    NAME,
    array_options,
    asking,
    dependency,
    options,
    queue_of,
    script,
)
from jupyter_mlinfn.jobs.backends.slurm.ssh import Ssh
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.errors import Problem, Refused, Unavailable
from jupyter_mlinfn.model.jobs import (
    Forecast,
    JobId,
    JobRecord,
    JobSpec,
    JobState,
    Resources,
)
from jupyter_mlinfn.model.offer import Queue

_log = logging.getLogger(__name__)


class SlurmBackend(ArrayBackend):
    """Implements :class:`~jupyter_mlinfn.jobs.backends.protocol.Backend` for Slurm."""

    name: ClassVar[str] = "slurm"
    title: ClassVar[str] = "Slurm"

    def __init__(self, context: BackendContext) -> None:
        super().__init__(context, poll=context.slurm.poll)
        self._site = context.slurm.options
        transport = _transport(context.slurm)
        self._calls = Calls(transport)
        self._accounting = Accounting(self._calls)
        self._far = _far(context, transport)
        self._points: FarPoints | None = None
        if self._far is not None:
            self._points = FarPoints(self._far, context.folders, context.slurm.poll)
        self._groups = Remembered[tuple[Group, ...]](self._calls.groups, "slurm-silent")
        self._limits = Remembered(self._calls.array_limits, "slurm-silent", fresh=60.0)

    @property
    def travels(self) -> bool:
        """Whether jobs go to a site that sees none of our folders."""
        return bool(self._site.get("far_folder"))

    @property
    def carries_secrets(self) -> bool:
        """Secrets go by the person's own ssh, into a folder of the person alone."""
        return self.travels

    # --- what there is --------------------------------------------------------------------------

    @property
    def evictable_queues(self) -> tuple[str, ...]:
        """The partition that the site has for jobs that may be evicted."""
        return told_queues(self._site.get("evictable_queue"))

    def missing(self) -> str:
        """Which of Slurm's programs are not here."""
        if self.travels and self._far is None:
            return "slurm_options names a far_folder, and slurm_ssh no machine to log in to."
        return self._calls.transport.missing() or (self._far.missing() if self._far else "")

    def queues(self) -> tuple[Queue, ...]:
        """The partitions. Raises :class:`Unavailable` while Slurm is silent."""
        return room.queues(self._groups.get(), self._site.get("queue"), self._context.gpu_types)

    def limits(self) -> Resources:
        """The most one machine has; all there can be while Slurm does not tell."""
        groups = self._groups.get_or(())
        return room.limits(groups) if groups else WIDEST

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """What can never be had here. A silent Slurm is no problem: the job waits for it."""
        if missing := self.missing():
            return (Problem(code="backend-missing", text=missing, field="backend"),)
        place = queue_of(queue, self._site)
        told = self._context.gpu_types
        found = room.problems(self._groups.get_or(()), resources, place, told)
        if charge is not None:
            found += self._check_account(charge)
        return tuple(found)

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether there is room now, and when Slurm itself would start such a job.

        Raises :class:`Unavailable` while Slurm is silent, :class:`Refused` when it says that it
        would not take the job.
        """
        groups, place = self._groups.get(), queue_of(queue, self._site)
        kind = room.kind(groups, resources, place, self._context.gpu_types)
        said = room.forecast(groups, resources, place, kind)
        named = next((q.name for q in room.queues(groups, place) if q.default), None)
        if named is None or not any(g.available for g in groups if g.partition == named):
            return said
        limit = room.time_limit(groups, place)
        start = self._calls.trial(asking(resources, place, None, self._site, limit, kind))
        before = self._calls.waiting(named)
        where = f"the queue {named} of Slurm"
        return room.expected(said, start, before, where, datetime.now(UTC))

    # --- jobs -----------------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> str:
        """Hand the job over once, after its folder where that travels; Slurm's number of it."""
        if self._far is None:
            return super().submit(spec)
        if not spec.points:
            self._far.send(spec.id)
        numbers = super().submit(spec)
        if self._context.folders.cancel_requested(spec.id):
            # that it was cancelled meanwhile nobody could say there
            self._far.cancel(spec.id)
            for number in numbers.split(","):
                self._end(number, gently=False)
        return numbers

    def cancel(self, record: JobRecord) -> None:
        """As ever; where the job's folder is elsewhere, the word is left there first."""
        if self._far is not None:
            self._far.cancel(record.id)
        super().cancel(record)

    def cancel_points(self, record: JobRecord, points: Sequence[int]) -> None:
        """As ever; where the sweep's folder is elsewhere, the word is left there first."""
        if self._far is not None:
            self._far.cancel(record.id, ranges.written(points))
        super().cancel_points(record, points)

    def heal(self) -> None:
        """As ever; and nothing stays at a site of jobs that are home."""
        super().heal()
        if self._far is not None:
            unfinished = self._context.store.unfinished
            self._far.tidy(lambda: [one.id for one in unfinished(self.name)])

    def awaits(self, jobs: Sequence[JobRecord], *, sweep: bool) -> bool:
        """Where all are single jobs that Slurm has too."""
        return not sweep and all(
            one.backend == self.name and one.backend_id and one.sweep is None for one in jobs
        )

    def _words(self, records: Sequence[JobRecord]) -> Mapping[JobId, Word]:
        listed = self._calls.jobs().items()
        named = {n.removeprefix(NAME): jobs for n, jobs in listed if n.startswith(NAME)}
        told = self._accounting.tell(self._forgotten(records, named), named, NAME)
        self._unsaid = told.unsaid
        for job, ends in told.ends.items():
            if ends:
                # of what both know, slurmctld's word is the newer one
                named[job] = [*ends, *named.get(job, ())]
        self._elements = {
            job: [*told.withdrawn.get(job, ()), *states.elements(jobs)]
            for job, jobs in named.items()
            if jobs[0].indexes is not None
        }
        words = {job: states.word(current(jobs)) for job, jobs in named.items()}
        if self._far is not None:
            coming, unsaid = self._far.look(records, words)
            words |= coming
            self._unsaid |= unsaid
        return words

    def _find(self, spec: JobSpec, *, going: bool) -> str | None:
        mine = [one for one in self._calls.named(NAME + spec.id) if one.comment == spec.token]
        if going:
            mine = [one for one in mine if states.phase(one) != "over"]
        return current(mine).id if mine else None

    def _give(self, spec: JobSpec, folder: Path) -> str:
        folder, python = self._place_of(spec, folder)
        given = self._options(spec, folder)
        lines = script(folder, self._site.get("grace", ""), python=python)
        return self._calls.submit(given, lines)

    def _hand_again(self, job: JobId, after: str | None, *, lost: bool) -> None:
        if self._far is not None:
            self._far.send(job)
        super()._hand_again(job, after, lost=lost)

    def _ended(self, record: JobRecord, word: Word | None) -> None:
        super()._ended(record, word)
        if self._far is not None:
            self._far.remove(record.id)

    def _place_of(self, spec: JobSpec, folder: Path) -> tuple[Path, str]:
        """Where the job's folder lies there, and the Python; empty: the one that runs here."""
        return (folder, "") if self._far is None else (self._far.folder(spec.id), self._far.python)

    def _end(self, number: str, *, gently: bool) -> None:
        self._calls.cancel(number, gently=gently)

    # --- sweeps ---------------------------------------------------------------------------------

    def largest(self) -> tuple[int, int]:
        """How many elements an array may have here, and one more than the largest index."""
        return self._limits.get()

    def prepare(self, spec: JobSpec) -> None:
        """Have the sweep's folder there, once for all points of it, where it travels."""
        if self._far is not None and self._points is not None:
            self._points.forget(spec.id)
            self._far.send(spec.id)

    def give(self, spec: JobSpec, folder: Path, array: Array, token: str, after: str | None) -> str:
        """Submit one array; Slurm's number of it."""
        folder, python = self._place_of(spec, folder)
        given = self._options(spec, folder)
        lines = script(folder, self._site.get("grace", ""), offset=array.offset, python=python)
        try:
            more = array_options(array, token, spec.throttle, after)
            return self._calls.submit((*given, *more), lines)
        except Unavailable as error:
            if after is None or "dependency problem" not in error.text:
                raise
            # what it would come after is over so long that Slurm has forgotten it
            more = array_options(array, token, spec.throttle, None)
            return self._calls.submit((*given, *more), lines)

    def find(self, spec: JobSpec, token: str) -> str | None:
        """The number of the array with this token."""
        mine = [one for one in self._calls.named(NAME + spec.id) if one.comment == token]
        return mine[-1].id if mine else None

    def _end_elements(self, array: str, indexes: Sequence[int] | None, *, gently: bool) -> None:
        names = [array] if indexes is None else [f"{array}_{index}" for index in indexes]
        self._calls.cancel_elements(names, gently=gently)

    def _unsaid_points(
        self,
        record: JobRecord,
        unfinished: Mapping[int, JobState],
        told: Mapping[int, Element],
    ) -> Collection[int]:
        away = () if self._points is None else self._points.look(record.id, unfinished, told)
        if record.id not in self._unsaid:
            return away
        untold = (number for number in unfinished if number not in told)
        return {*away, *(number for number in untold if not self._sweeps.has_ended(record, number))}

    def _ended_sweep(self, record: JobRecord) -> None:
        super()._ended_sweep(record)
        if self._far is not None and self._points is not None:
            self._points.forget(record.id)
            self._far.remove(record.id)

    # --- inside ---------------------------------------------------------------------------------

    def _forgotten(
        self, records: Sequence[JobRecord], named: Mapping[JobId, Sequence[SlurmJob]]
    ) -> dict[JobId, Sequence[Place]]:
        """Where the jobs and points were that slurmctld does not know any more."""
        found: dict[JobId, Sequence[Place]] = {
            one.id: [(one.backend_id, None)]
            for one in records
            if one.backend_id and one.sweep is None and one.id not in named
        }
        for one in self._followed.values():
            if gone := self._sweeps.untold(one, states.elements(named.get(one.id, ()))):
                found[one.id] = gone
        return found

    def _check_account(self, charge: str) -> list[Problem]:
        try:
            person = self._calls.transport.person() or self._context.slurm.user
            known = self._calls.accounts(person)
        except Unavailable:
            known = None
        if known is None or charge in known:
            return []
        text = f"You cannot charge {charge!r} in Slurm. You can: {', '.join(known)}."
        if not known:
            text = "This Slurm keeps no accounts, so nobody can be charged. Leave it out."
        return [Problem(code="unknown-charge", text=text, field="charge")]

    def _options(self, spec: JobSpec, folder: Path) -> tuple[str, ...]:
        """The options of a job. Raises :class:`Unavailable` when it depends on what there is, and
        Slurm does not tell; :class:`Refused` when no GPU there is enough."""
        asked, place = spec.resources, queue_of(spec.queue, self._site, evictable=spec.evictable)
        picky = asked.gpus and (asked.gpu_memory is not None or asked.gpu_model is not None)
        groups = self._groups.get() if picky else self._groups.get_or(())
        kind = room.kind(groups, asked, place, self._context.gpu_types)
        if picky and kind is None:
            raise Refused(
                "Slurm has no GPU in this queue that is what the job asks for.",
                code="refused-by-system",
            )
        given = options(spec, folder, self._site, room.time_limit(groups, place), kind)
        return given if spec.points else (*given, *self._after(spec))

    def _after(self, spec: JobSpec) -> tuple[str, ...]:
        """What Slurm has to wait for: those that have ended do not count any more."""
        going = {one.id: one.backend_id for one in unfinished(self._context.store, spec)}
        kinds = (("afterany", spec.after), ("afterok", spec.after_ok))
        return dependency([(kind, going.get(job)) for kind, named in kinds for job in named])


def _transport(settings: SlurmSettings) -> Transport:
    if settings.ssh:
        return Ssh(settings.ssh, settings.programs, settings.ssh_config)
    return Local(settings.programs)


def _far(context: BackendContext, transport: Transport) -> Far | None:
    root = context.slurm.options.get("far_folder")
    if not root or not isinstance(transport, Ssh):
        return None
    return Far(transport, context.folders, root, context.slurm.options.get("far_python", ""))


def current(jobs: Sequence[SlurmJob]) -> SlurmJob:
    """Of several jobs with one name the one that counts: one that is not over, else the newest."""
    going = [job for job in jobs if states.phase(job) != "over"]
    return (going or jobs)[-1]
