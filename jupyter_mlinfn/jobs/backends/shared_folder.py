"""A batch system whose machines see the job's folder: everything that is alike in such systems.

The system runs :mod:`jupyter_mlinfn.jobs.batch`, which makes the attempt in the job's folder and
supervises it. How a job went is read there; the system is asked, once for all jobs, why one waits
and what became of one that could not say so itself. Silence is never an end of a job.
"""

from __future__ import annotations

import abc
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jupyter_mlinfn.jobs.backends.endings import Endings
from jupyter_mlinfn.jobs.backends.handing import Handing, Note
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Observation
from jupyter_mlinfn.jobs.backends.told import Doubt, Teller, Word, runs
from jupyter_mlinfn.model.errors import MlinfnError, Unavailable
from jupyter_mlinfn.model.jobs import ENDED, JobId, JobRecord, JobSpec, Reason

_log = logging.getLogger(__name__)


class SharedFolderBackend(abc.ABC):
    """The part of :class:`~jupyter_mlinfn.jobs.backends.protocol.Backend` about jobs."""

    name: ClassVar[str]
    title: ClassVar[str]

    patience: ClassVar[Mapping[Doubt, float]] = {"absent": 15.0, "not-again": 10.0, "no-word": 5.0}
    """Seconds for which a doubt must last before it counts: a system's tables and a network file
    system tell their news a little late."""

    def __init__(self, context: BackendContext, *, poll: float) -> None:
        """``poll``: the least number of seconds between two questions about all jobs."""
        self._context = context
        self._poll = poll
        self._tell = Teller(context.folders, self.title)
        self._handing = Handing(self.name, self.title)
        self._asking = threading.Lock()
        self._table: tuple[float, Mapping[JobId, Word]] = (0.0, {})
        self._doubts: dict[tuple[JobId, Doubt], float] = {}
        self._again: dict[JobId, tuple[str | None, bool]] = {}
        self._endings = Endings()
        self._unsaid: frozenset[JobId] = frozenset()
        """Jobs about which only a part of the system could tell that was silent."""

    @property
    def travels(self) -> bool:
        """Whether its machines see none of our folders, and those of jobs travel."""
        return False

    @property
    def shares_folder(self) -> bool:
        """Whether its machines see the person's own folders."""
        return not self.travels

    @property
    def sweeps(self) -> bool:
        """Whether it takes many points in one call."""
        return False

    # --- what a system does in its own way --------------------------------------------------------

    @abc.abstractmethod
    def _words(self, records: Sequence[JobRecord]) -> Mapping[JobId, Word]:
        """What the system says of its jobs, in one question. A job it does not know is left out.

        Raises :class:`Unavailable` while it is silent.
        """

    @abc.abstractmethod
    def _find(self, spec: JobSpec, *, going: bool) -> str | None:
        """The number of the job with this spec's token; ``going``: one that is not over."""

    @abc.abstractmethod
    def _give(self, spec: JobSpec, folder: Path) -> str:
        """Submit; the system's number. Raises :class:`Refused` and :class:`Unavailable`."""

    @abc.abstractmethod
    def _end(self, number: str, *, gently: bool) -> None:
        """End a job; ``gently``: our own program in it runs, and saves what there is."""

    def _ended(self, record: JobRecord, word: Word | None) -> None:
        """A job has ended for us; ``word`` is what the system said of it last."""
        _log.debug("Job %s has ended; %s said of it: %s", record.id, self.title, word)

    # --- jobs -------------------------------------------------------------------------------------

    def awaits(self, jobs: Sequence[JobRecord], *, sweep: bool) -> bool:
        """Few systems wait for other jobs by themselves."""
        return not jobs

    def submit(self, spec: JobSpec) -> str:
        """Hand the job over once; the system's number of it."""
        folder = self._context.folders.job(spec.id)
        number = self._handing.once(
            folder,
            lambda: self._find(spec, going=False),
            lambda: self._give(spec, folder),
            submitted_at=spec.submitted_at,
        )
        self._table = (0.0, {})
        return number

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        """The folders' word, then the system's. Raises :class:`Unavailable` while it is silent;
        what the folders say by themselves is in the index then."""
        seen: dict[JobId, Observation] = {}
        last = self._table[1]
        for record in records:
            if told := self._tell.ended(record):
                seen[record.id] = told
                self._ended(record, last.get(record.id))
                if not self._context.folders.job(record.id).is_dir():
                    self._take_out(record)
        left = [one for one in records if one.id not in seen and (one.backend_id or one.attempts)]
        try:
            table = self._ask(left) if left else {}
        except MlinfnError:
            self._context.store.observe_all(seen)
            raise
        for record in left:
            if record.id in self._unsaid:
                continue
            word = table.get(record.id)
            seen[record.id] = told = self._observe(record, word)
            if told.state in ENDED:
                self._ended(record, word)
        return seen

    def cancel(self, record: JobRecord) -> None:
        """Take a waiting job out of the system; tell a running one, which saves what it has."""
        number = record.backend_id or self._note(record.id).id
        if number is None:
            self._cancel_unsubmitted(record)
            return
        if record.backend_id is None:
            # who handed it over was killed before the index knew: else nobody asks for it
            self._context.store.accepted(record.id, number)
        with self._endings.telling(record.id) as gently:
            if gently is not None:
                self._end(number, gently=gently and runs(self._context.folders, record.id))
                self._table = (0.0, {})

    def heal(self) -> None:
        """Hand over again what the system lost or did not start again."""
        for job, (after, lost) in list(self._again.items()):
            try:
                self._hand_again(job, after, lost=lost)
            except Unavailable as error:
                _log.info("Job %s waits to be handed to %s again: %s", job, self.title, error)
                continue
            except MlinfnError as error:
                _log.warning("Job %s cannot go to %s again: %s", job, self.title, error)
            self._again.pop(job, None)

    # --- inside -----------------------------------------------------------------------------------

    def _ask(self, records: Sequence[JobRecord]) -> Mapping[JobId, Word]:
        """One question for all jobs, never two at once; the last answer while it is young."""
        with self._asking:
            asked_at, table = self._table
            if asked_at and time.monotonic() - asked_at < self._poll:
                return table
            now, table = time.monotonic(), self._words(records)
            self._table = (now, table)
            return table

    def _observe(self, record: JobRecord, word: Word | None) -> Observation:
        """What is true of one job; what was true before, while a doubt is young."""
        seen = self._tell.observe(record, word)
        if isinstance(seen, Observation):
            self._forget_doubts(record.id)
            return seen
        if not self._lasts(record.id, seen):
            return Observation(state=record.state, attempt=record.attempts, reason=record.reason)
        if seen == "no-word" and word is not None:
            return self._tell.concluded(record, word)
        return self._lost(record, seen)

    def _lost(self, record: JobRecord, doubt: Doubt) -> Observation:
        """A job the system does not know or does not start again: once more, if it may."""
        folders, note = self._context.folders, self._note(record.id)
        if record.cancelling:
            return self._tell.cancelled(record)
        begun = runs(folders, record.id) and self._tell.begun(record)
        if begun or (doubt == "absent" and note.again):
            return self._tell.lost(record)
        self._again[record.id] = (note.id, doubt == "absent")
        return self._tell.handed_again(record, doubt)

    def _hand_again(self, job: JobId, after: str | None, *, lost: bool) -> None:
        folders = self._context.folders
        spec, folder = folders.read_spec(job), folders.job(job)
        number = self._handing.once(
            folder,
            lambda: self._find(spec, going=True),
            lambda: self._give(spec, folder),
            submitted_at=spec.submitted_at,
            after=after,
            lost=lost,
        )
        self._context.store.accepted(job, number)
        self._forget_doubts(job)
        self._table = (0.0, {})

    def _cancel_unsubmitted(self, record: JobRecord) -> None:
        """Nothing was accepted as far as we know: a call on its way finds the word ``cancel`` in
        the folder, and runs nothing."""
        spec = self._context.folders.read_spec(record.id)
        if (number := self._find(spec, going=True)) is not None:
            self._end(number, gently=False)
        reason = Reason(
            code="cancelled-by-user", text="You cancelled this job before any of your code ran."
        )
        self._context.store.cancel_if_waiting(record.id, reason)

    def _take_out(self, record: JobRecord) -> None:
        """Without its folder a job cannot do anything in the system but take up room."""
        try:
            if record.backend_id is not None:
                self._end(record.backend_id, gently=False)
        except MlinfnError as error:
            _log.warning("Job %s stays in %s without folder: %s", record.id, self.title, error)

    def _note(self, job: JobId) -> Note:
        return self._handing.note(self._context.folders.job(job))

    def _lasts(self, job: JobId, doubt: Doubt) -> bool:
        since = self._doubts.setdefault((job, doubt), time.monotonic())
        return time.monotonic() - since >= self.patience[doubt]

    def _forget_doubts(self, job: JobId) -> None:
        for doubt in self.patience:
            self._doubts.pop((job, doubt), None)
