"""Jobs on Slurm, in a folder that its machines see too.

Slurm runs :mod:`jupyter_mlinfn.jobs.batch`, which makes the attempt in the job's folder and
supervises it. How a job went is read there; Slurm is asked, once for all jobs, why one waits and
what became of one that could not say so itself. Silence of Slurm is never an end of a job.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Observation
from jupyter_mlinfn.jobs.backends.slurm import room, seeing, states
from jupyter_mlinfn.jobs.backends.slurm.calls import Calls, Local
from jupyter_mlinfn.jobs.backends.slurm.handing import Handing, current, read_note
from jupyter_mlinfn.jobs.backends.slurm.parsing import Group, SlurmJob
from jupyter_mlinfn.jobs.backends.slurm.script import NAME, queue_of
from jupyter_mlinfn.model.errors import MlinfnError, Problem, Unavailable
from jupyter_mlinfn.model.jobs import Forecast, JobId, JobRecord, JobSpec, Resources
from jupyter_mlinfn.model.offer import Queue
from jupyter_mlinfn.model.quantities import MAX_DURATION, MAX_MEMORY

_log = logging.getLogger(__name__)

_OFFER_FOR: Final = 10.0
_SILENT_FOR: Final = 5.0
_CANCEL_EVERY: Final = 10.0
_GENTLE_FOR: Final = 60.0
_WIDEST: Final = Resources(cpus=4096, memory=MAX_MEMORY, gpus=64, time=MAX_DURATION)


class SlurmBackend:
    """Implements :class:`~jupyter_mlinfn.jobs.backends.protocol.Backend` for Slurm."""

    name: ClassVar[str] = "slurm"
    title: ClassVar[str] = "Slurm"
    shares_folder: ClassVar[bool] = True

    patience: ClassVar[Mapping[seeing.Doubt, float]] = {
        "absent": 15.0,
        "not-again": 10.0,
        "no-word": 5.0,
    }
    """Seconds for which a doubt must last before it counts: Slurm's tables and a network file
    system tell their news a little late."""

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._site = context.slurm.options
        self._calls = Calls(Local(context.slurm.programs))
        self._handing = Handing(self._calls, self._site)
        self._asking = threading.Lock()
        self._table: tuple[float, dict[str, list[SlurmJob]]] = (0.0, {})
        self._offer: tuple[float, tuple[Group, ...]] = (0.0, ())
        self._doubts: dict[tuple[JobId, seeing.Doubt], float] = {}
        self._again: dict[JobId, tuple[str | None, bool]] = {}
        self._unaccounted: frozenset[JobId] = frozenset()
        self._silence: tuple[float, str] = (0.0, "")
        self._cancels: dict[JobId, tuple[float, float]] = {}

    # --- what there is --------------------------------------------------------------------------

    def missing(self) -> str:
        """Which of Slurm's programs are not here."""
        return self._calls.transport.missing()

    def queues(self) -> tuple[Queue, ...]:
        """The partitions. Raises :class:`Unavailable` while Slurm is silent."""
        return room.queues(self._groups())

    def limits(self) -> Resources:
        """The most one machine has; all there can be while Slurm does not tell."""
        groups = self._groups_or_none()
        return room.limits(groups) if groups else _WIDEST

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """What can never be had here. A silent Slurm is no problem: the job waits for it."""
        if missing := self.missing():
            return (Problem(code="backend-missing", text=missing, field="backend"),)
        place = queue_of(queue, self._site)
        found = room.problems(self._groups_or_none(), resources, place)
        if charge is not None:
            found += self._check_account(charge)
        return tuple(found)

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether there is room now."""
        try:
            return room.forecast(self._groups(), resources, queue_of(queue, self._site))
        except MlinfnError as error:
            return Forecast(starts_now=False, text=f"Waits until Slurm answers. {error.text}")

    # --- jobs -----------------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> str:
        """Hand the job over once; Slurm's number of it."""
        number = self._handing.submit(
            spec, self._context.folders.job(spec.id), self._time_limit(spec)
        )
        self._table = (0.0, {})
        return number

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        """The folders' word, then Slurm's. Raises :class:`Unavailable` while Slurm is silent;
        what the folders say by themselves is in the index then."""
        folders = self._context.folders
        seen: dict[JobId, Observation] = {}
        for record in records:
            if told := seeing.ended(folders, record):
                seen[record.id] = told
        left = [one for one in records if one.id not in seen and self._handed(one)]
        try:
            table = self._ask(left) if left else {}
        except MlinfnError:
            self._context.store.observe_all(seen)
            raise
        for record in left:
            if record.id in self._unaccounted:
                continue  # only the accounting could tell, and it is silent
            jobs = table.get(NAME + record.id)
            if told := self._observe(record, current(jobs) if jobs else None):
                seen[record.id] = told
        return seen

    def cancel(self, record: JobRecord) -> None:
        """Take a waiting job out of Slurm; tell a running one, which saves what it has."""
        folders = self._context.folders
        number = record.backend_id or read_note(folders.job(record.id)).id
        if number is None:
            self._cancel_unsubmitted(record)
            return
        first, last = self._cancels.get(record.id, (time.monotonic(), 0.0))
        if last and time.monotonic() - last < _CANCEL_EVERY:
            return
        self._cancels[record.id] = (first, time.monotonic())
        _attempt, folder = seeing.newest(folders, record.id)
        runs = folder is not None and folder.claim.exists() and not folder.end.exists()
        self._calls.cancel(number, gently=runs and time.monotonic() - first < _GENTLE_FOR)
        self._table = (0.0, {})

    def heal(self) -> None:
        """Hand over again what Slurm lost or did not start again."""
        for job, (after, lost) in list(self._again.items()):
            try:
                self._hand_again(job, after, lost=lost)
            except Unavailable as error:
                _log.info("Job %s waits to be handed to Slurm again: %s", job, error)
                continue
            except MlinfnError as error:
                _log.warning("Job %s cannot be handed to Slurm again: %s", job, error)
            self._again.pop(job, None)

    # --- inside ---------------------------------------------------------------------------------

    def _observe(self, record: JobRecord, job: SlurmJob | None) -> Observation | None:
        """What is true of one job; ``None`` while a doubt is young."""
        folders = self._context.folders
        seen = seeing.observe(folders, record, job)
        if isinstance(seen, Observation):
            self._forget_doubts(record.id)
            return seen
        if not self._lasts(record.id, seen):
            return Observation(state=record.state, attempt=record.attempts, reason=record.reason)
        if seen == "no-word" and job is not None:
            return seeing.concluded(folders, record, job)
        return self._lost(record, seen)

    def _lost(self, record: JobRecord, doubt: seeing.Doubt) -> Observation:
        """A job Slurm does not know, or does not start again: once more, as often as that may."""
        _number, folder = seeing.newest(self._context.folders, record.id)
        ran = folder is not None and folder.begun.exists() and not folder.end.exists()
        note = read_note(self._context.folders.job(record.id))
        if record.cancelling:
            return seeing.cancelled(self._context.folders, record)
        if ran or (doubt == "absent" and note.again):
            return seeing.lost(self._context.folders, record)
        self._again[record.id] = (note.id, doubt == "absent")
        return seeing.handed_again(record, doubt)

    def _hand_again(self, job: JobId, after: str | None, *, lost: bool) -> None:
        spec = self._context.folders.read_spec(job)
        folder = self._context.folders.job(job)
        number = self._handing.again(spec, folder, self._time_limit(spec), after, lost=lost)
        self._context.store.accepted(job, number)
        self._forget_doubts(job)
        self._table = (0.0, {})

    def _handed(self, record: JobRecord) -> bool:
        return bool(record.backend_id or record.attempts)

    def _ask(self, records: Sequence[JobRecord]) -> dict[str, list[SlurmJob]]:
        """One question for all jobs, never two at once; the last answer while it is young."""
        with self._asking:
            asked_at, table = self._table
            if asked_at and time.monotonic() - asked_at < self._context.slurm.poll:
                return table
            now, table = time.monotonic(), self._calls.jobs()
            self._add_accounted(table, [one for one in records if NAME + one.id not in table])
            self._table = (now, table)
            return table

    def _add_accounted(self, table: dict[str, list[SlurmJob]], absent: Sequence[JobRecord]) -> None:
        """Fill in what only the accounting still knows; note for whom it was silent."""
        self._unaccounted = frozenset()
        try:
            table |= self._calls.accounted([one.backend_id for one in absent if one.backend_id])
        except Unavailable as error:
            _log.warning("Of %d jobs only the accounting could tell: %s", len(absent), error)
            self._unaccounted = frozenset(one.id for one in absent)

    def _lasts(self, job: JobId, doubt: seeing.Doubt) -> bool:
        since = self._doubts.setdefault((job, doubt), time.monotonic())
        return time.monotonic() - since >= self.patience[doubt]

    def _forget_doubts(self, job: JobId) -> None:
        for doubt in self.patience:
            self._doubts.pop((job, doubt), None)

    def _cancel_unsubmitted(self, record: JobRecord) -> None:
        """Nothing was accepted as far as we know: an ``sbatch`` on its way finds the word
        ``cancel`` in the folder, and runs nothing."""
        present = self._calls.named(NAME + record.id)
        if present:
            self._calls.cancel(current(present).id, gently=False)
        self._context.store.cancel_if_waiting(record.id, states.CANCELLED_HERE)

    def _check_account(self, charge: str) -> list[Problem]:
        try:
            known = self._calls.accounts(self._context.slurm.user)
        except Unavailable:
            known = None
        if known is None or charge in known:
            return []
        text = f"You cannot charge {charge!r} in Slurm. You can: {', '.join(known)}."
        if not known:
            text = "This Slurm keeps no accounts, so nobody can be charged. Leave it out."
        return [Problem(code="unknown-charge", text=text, field="charge")]

    def _time_limit(self, spec: JobSpec) -> int | None:
        place = queue_of(spec.queue, self._site, evictable=spec.evictable)
        return room.time_limit(self._groups_or_none(), place)

    def _groups_or_none(self) -> tuple[Group, ...]:
        try:
            return self._groups()
        except Unavailable:
            return ()

    def _groups(self) -> tuple[Group, ...]:
        asked_at, groups = self._offer
        if asked_at and time.monotonic() - asked_at < _OFFER_FOR:
            return groups
        silent_at, why = self._silence
        if silent_at and time.monotonic() - silent_at < _SILENT_FOR:
            raise Unavailable(why, code="slurm-silent")
        try:
            groups = self._calls.groups()
        except Unavailable as error:
            self._silence = (time.monotonic(), error.text)
            raise
        self._offer = (time.monotonic(), groups)
        return groups
