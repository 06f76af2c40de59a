"""Jobs on HTCondor, in a folder that its machines see too."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from jupyter_mlinfn.jobs import amending
from jupyter_mlinfn.jobs.backends.arrays import ArrayBackend
from jupyter_mlinfn.jobs.backends.htcondor import away, calls, holds, room, states, sweeping, there
from jupyter_mlinfn.jobs.backends.htcondor.awaypoints import AwayPoints
from jupyter_mlinfn.jobs.backends.htcondor.calls import Calls
from jupyter_mlinfn.jobs.backends.htcondor.carrying import Carrier
from jupyter_mlinfn.jobs.backends.htcondor.describing import (
    POOL,
    amounts,
    description,
    items,
    sweep,
)
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob, Slot
from jupyter_mlinfn.jobs.backends.limits import WIDEST
from jupyter_mlinfn.jobs.backends.protocol import BackendContext
from jupyter_mlinfn.jobs.backends.remembering import Remembered
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.sweeps.handing import Array, Arrays
from jupyter_mlinfn.model.errors import NotFound, Problem, Refused, Unavailable
from jupyter_mlinfn.model.jobs import (
    ENDED,
    Forecast,
    JobId,
    JobRecord,
    JobSpec,
    JobState,
    Resources,
)
from jupyter_mlinfn.model.offer import Queue
from jupyter_mlinfn.model.releasing import Amendable, Asking
from jupyter_mlinfn.model.sweeps import MAX_POINTS

_log = logging.getLogger(__name__)

_MISSED_FOR: Final = 2.0
_LEFT_FOR: Final = 60.0


class HTCondorBackend(ArrayBackend):
    """Implements :class:`~jupyter_mlinfn.jobs.backends.protocol.Backend` for HTCondor."""

    name: ClassVar[str] = "htcondor"
    title: ClassVar[str] = "HTCondor"

    def __init__(self, context: BackendContext) -> None:
        super().__init__(context, poll=context.htcondor.poll)
        self._site = context.htcondor.options
        self._calls = Calls(self._site)
        self._away = away.Away(context.folders, self._calls.fetch)
        python = self._site.get("far_python", "")
        self._carrier = Carrier(
            context.folders, self._calls, self._away, python, self._is_half_sent
        )
        self._points = AwayPoints(context.folders, self._carrier.fetch)
        self._seen: Sequence[CondorJob] = ()
        """The points of sweeps, by the newest answer."""
        self._offer = Remembered[tuple[tuple[Slot, ...], str]](self._ask_offer, "htcondor-silent")
        self._leftover: dict[str, float] = {}
        self._idle: frozenset[str] = frozenset()
        """Clusters that wait or are held, by the newest answer."""
        self._held: Mapping[JobId, CondorJob] = {}
        self._spooling: dict[int, float] = {}
        """Since when clusters were seen waiting for their files."""
        self._missed: dict[tuple[str, int], float] = {}

    @property
    def travels(self) -> bool:
        """Whether the machines see none of our folders, and job folders go through the schedd."""
        return self._site.get("transfer") == "yes"

    # --- what there is --------------------------------------------------------------------------

    def missing(self) -> str:
        """Whether the bindings or the pool's name are not here. Asks nobody."""
        if self._site.get("transfer", "no") not in ("yes", "no"):
            return "htcondor_options: transfer must be 'yes' or 'no'."
        return calls.missing(self._site, os.environ)

    def queues(self) -> tuple[Queue, ...]:
        """The pool as one queue. Raises :class:`Unavailable` while HTCondor is silent."""
        return (room.queue(self._offer.get()[0]),)

    def limits(self) -> Resources:
        """The most one machine has; all there can be while HTCondor does not tell."""
        slots, _domain = self._offer.get_or(((), ""))
        return room.limits(slots) if slots else WIDEST

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """What can never be had here. A silent HTCondor is no problem: the job waits for it.

        Which groups may be charged only HTCondor's own configuration knows: it is not checked.
        """
        if missing := self.missing():
            return (Problem(code="backend-missing", text=missing, field="backend"),)
        if queue not in (None, POOL):
            text = "HTCondor has no queues: it chooses among all machines. Leave the queue out."
            return (Problem(code="unknown-queue", text=text, field="queue"),)
        slots, domain = self._offer.get_or(((), ""))
        return tuple(room.problems(slots, resources, None if self.travels else domain))

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether there is room now. Raises :class:`Unavailable` while HTCondor is silent."""
        slots, domain = self._offer.get()
        return room.forecast(slots, resources, None if self.travels else domain)

    # --- jobs -----------------------------------------------------------------------------------

    def release(self, record: JobRecord) -> None:
        """Let a held job, or the held points of a sweep, wait for their turn again."""
        for cluster in (record.backend_id or "").split(","):
            if cluster:
                self._calls.release(cluster)
        self._table = (0.0, {})

    def amend(self, record: JobRecord, now: Asking) -> bool:
        """Let a held job ask for ``now``; false when it is not held any more."""
        cluster, asked = record.backend_id, amounts(now)
        if self.travels:
            # its folder is there already, and says what it asked for at first
            asked[there.ASKS] = json.dumps(now.model_dump_json(exclude={"disk"}))
        return cluster is not None and self._calls.amend(cluster, asked) > 0

    def held_for(self, record: JobRecord) -> tuple[Amendable | None, int | None]:
        """What the newest answer said of the job's hold."""
        job = self._held.get(record.id)
        return (holds.cause(job), holds.used(job)) if job else (None, None)

    def heal(self) -> None:
        """Hand over again what was lost; take out of the queue what is held for nothing."""
        super().heal()
        now = time.monotonic()
        self._leftover = {one: at for one, at in self._leftover.items() if now - at < _LEFT_FOR}
        left = self._idle.intersection(self._leftover)
        if not left:
            return
        try:
            self._calls.remove_idle(sorted(left), completed=self.travels)
        except Unavailable as error:
            _log.info("Held jobs of HTCondor are removed later: %s", error)

    def _words(self, records: Sequence[JobRecord]) -> Mapping[JobId, Word]:
        found, clusters = self._calls.jobs()
        whole = tuple(one for one in found if one.point is None)
        self._seen = tuple(one for one in found if one.point is not None)
        waits = (1, 4, 5) if self.travels else (1, 5)
        self._idle = frozenset(str(one.cluster) for one in whole if one.status in waits)
        self._held = {one.job: one for one in whole if one.status == 5}
        present = {one.job for one in whole}
        absent = [
            one.id
            for one in records
            if one.backend_id and one.id not in present and one.sweep is None
        ]
        self._unsaid = frozenset()
        try:
            whole = (*self._calls.remembered(absent), *whole)
        except Unavailable as error:
            _log.warning("Of %d jobs only the history could tell: %s", len(absent), error)
            self._unsaid = frozenset(absent)
        told = sweeping.elements(found, clusters, self._arrays_of)
        missed, self._missed = self._missed, {}
        for job in self._followed:
            told.setdefault(job, []).extend(self._remembered(job, told.get(job, ()), missed))
        self._elements = told
        counting = {job: current(of) for job, of in _by_job(whole).items()}
        words = {job: states.word(one) for job, one in counting.items()}
        return self._at_home(counting, words, records) if self.travels else words

    def _at_home(
        self,
        jobs: Mapping[JobId, CondorJob],
        words: Mapping[JobId, Word],
        records: Sequence[JobRecord],
    ) -> Mapping[JobId, Word]:
        """The words on jobs that travel; those that ended for us while nobody looked may go."""
        asked = {one.id for one in records}
        for job, one in jobs.items():
            if job not in asked and str(one.cluster) in self._idle and self._is_over(job):
                self._leftover[str(one.cluster)] = time.monotonic()
        mine = {job: one for job, one in jobs.items() if job in asked}
        return self._away.words(mine, words)

    def _is_over(self, job: JobId) -> bool:
        try:
            return self._context.store.get(job).state in ENDED
        except NotFound:
            return False  # of another home of this person

    def _find(self, spec: JobSpec, *, going: bool) -> str | None:
        mine = [one for one in self._calls.named(spec.id) if one.token == spec.token]
        if self.travels:
            mine = [one for one in mine if not self._is_half_sent(one)]
        if going:
            mine = [one for one in mine if states.word(one).phase != "over"]
        return str(current(mine).cluster) if mine else None

    def _give(self, spec: JobSpec, folder: Path) -> str:
        spec, disk = amending.amended(spec, folder), amending.asked(spec, folder).disk
        site = self._site_for(spec)
        given = description(spec, folder, site, os.environ, disk)
        if not self.travels:
            return self._calls.submit(given)
        size = self._away.pack(folder)
        given = away.travelling(given, folder, self._site.get("far_python") or sys.executable)
        number = self._calls.send(given, size)
        self._away.sent(folder)
        return number

    def _is_half_sent(self, job: CondorJob) -> bool:
        """Whether its files never came, because whoever sent them was killed; it is taken away.

        Nobody else sends them: one process hands a job over at a time. Raises
        :class:`Unavailable` while they may still come.
        """
        if job.status != 5 or job.hold != holds.SPOOLING:
            return False
        since = self._spooling.setdefault(job.cluster, time.monotonic())
        if time.monotonic() - since < self._handing.on_its_way:
            text = "HTCondor may still be taking this job's files."
            raise Unavailable(text, code="htcondor-unclear")
        self._calls.remove(str(job.cluster))
        return True

    def _end(self, number: str, *, gently: bool) -> None:
        # a job that runs is told by HTCondor itself (want_graceful_removal)
        self._calls.remove(number)

    def _ended(self, record: JobRecord, word: Word | None) -> None:
        if record.backend_id:
            # it may wait there again, or be held, for nothing
            self._leftover[record.backend_id] = time.monotonic()
        if self.travels:
            self._away.clear(record.id)
            if record.backend_id:
                self._leave(record.backend_id)

    def _leave(self, cluster: str) -> None:
        """Take what is for nothing there out of the queue: the look does not wait for it, and
        where it fails, the next one does it."""
        self._leftover[cluster] = time.monotonic()
        threading.Thread(target=self._tidy, args=(cluster,), daemon=True).start()

    def _tidy(self, cluster: str) -> None:
        try:
            self._calls.remove_idle([cluster], completed=True)
        except Unavailable as error:
            _log.info("Job %s of HTCondor is removed later: %s", cluster, error)

    # --- sweeps ---------------------------------------------------------------------------------

    def largest(self) -> tuple[int, int]:
        """A cluster may have as many jobs as a sweep may have points."""
        return MAX_POINTS, MAX_POINTS

    def prepare(self, spec: JobSpec) -> None:
        """Have the sweep's parcel in the spool, once for all points, where folders travel."""
        if self.travels:
            self._points.forget(spec.id)
            self._carrier.prepare(spec)

    def give(self, spec: JobSpec, folder: Path, array: Array, token: str, after: str | None) -> str:
        """Submit one cluster; HTCondor's number of it."""
        told = sweep(spec, folder, self._site_for(spec), os.environ, token)
        if self.travels:
            told = self._carrier.points(spec, told)
        return self._calls.submit(told, items(array.numbers(), array.offset))

    def find(self, spec: JobSpec, token: str) -> str | None:
        """The number of the cluster with this token."""
        return self._calls.cluster_of(spec.id, token)

    def _end_elements(self, array: str, indexes: Sequence[int] | None, *, gently: bool) -> None:
        if indexes is None:
            self._calls.remove(array)
        else:
            self._calls.remove_points(array, indexes)

    def _unsaid_points(
        self,
        record: JobRecord,
        unfinished: Mapping[int, JobState],
        told: Mapping[int, Element],
    ) -> Collection[int]:
        if not self.travels:
            return ()
        ads = sweeping.by_number(self._arrays_of(record.id), record.id, self._seen)
        return self._points.look(record.id, unfinished, told, ads)

    def _ended_sweep(self, record: JobRecord) -> None:
        super()._ended_sweep(record)
        if not self.travels:
            return
        self._points.forget(record.id)
        self._away.clear(record.id)
        if (number := self._carrier.number(record.id)) is not None:
            self._leave(number)

    def _arrays_of(self, job: JobId) -> Arrays:
        return self._arrays.note(self._context.folders.job(job))

    def _remembered(
        self, job: JobId, told: Sequence[Element], missed: Mapping[tuple[str, int], float]
    ) -> list[Element]:
        """What the history says of points that have left the queue, and of which for a while now
        no word of their own came. ``missed``: since when, by the look before."""
        unfinished = self._context.store.points.unfinished(job)
        absent = sweeping.absent(self._arrays_of(job), unfinished, told)
        found: list[Element] = []
        for cluster, indexes in absent.items():
            now = time.monotonic()
            since = {(cluster, index): missed.get((cluster, index), now) for index in indexes}
            self._missed |= since
            long = [index for (_, index), at in since.items() if now - at > _MISSED_FOR]
            if long:
                known = self._calls.remembered_points(cluster, long)
                found += [sweeping.element(one) for one in known]
        return found

    # --- inside ---------------------------------------------------------------------------------

    def _site_for(self, spec: JobSpec) -> Mapping[str, str]:
        """The settings, with the kind of accelerator this job gets: what the person asked for
        counts before the owner's default."""
        asked = spec.resources
        if not asked.gpus or (asked.gpu_model is None and asked.gpu_memory is None):
            return self._site
        kind = room.chosen(self._offer.get()[0], asked)
        if kind is None:
            raise Refused(
                "HTCondor has no GPU that is what the job asks for.", code="refused-by-system"
            )
        return {**self._site, "gpu_model": kind}

    def _ask_offer(self) -> tuple[tuple[Slot, ...], str]:
        """The machines, and the name of the file system this one shares."""
        slots = room.sized(self._calls.slots(), self._context.gpu_types)
        return slots, self._calls.domain()


def current(jobs: Sequence[CondorJob]) -> CondorJob:
    """Of several jobs with one id the one that counts: one that is not over, else the newest."""
    ordered = sorted(jobs, key=lambda job: job.cluster)
    going = [job for job in ordered if states.word(job).phase != "over"]
    return (going or ordered)[-1]


def _by_job(jobs: Sequence[CondorJob]) -> dict[JobId, list[CondorJob]]:
    found: dict[JobId, list[CondorJob]] = {}
    for job in jobs:
        found.setdefault(job.job, []).append(job)
    return found
