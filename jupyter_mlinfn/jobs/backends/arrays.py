"""A batch system whose machines see the job's folder and that takes many points in one call.

What such systems do alike with sweeps: points go there as arrays, one question is asked for all,
and every point is told of, cancelled and handed over again for itself.
"""

from __future__ import annotations

import abc
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Observation
from jupyter_mlinfn.jobs.backends.shared_folder import SharedFolderBackend
from jupyter_mlinfn.jobs.sweeps.following import CANCELLED, Element, SweepFollower
from jupyter_mlinfn.jobs.sweeps.handing import Array, ArrayHanding
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import ENDED, JobId, JobRecord, JobSpec, JobState

_log = logging.getLogger(__name__)


class ArrayBackend(SharedFolderBackend):
    """Jobs as in :class:`SharedFolderBackend`, and sweeps."""

    @property
    def sweeps(self) -> bool:
        """One array, or a few, for all points."""
        return True

    def __init__(self, context: BackendContext, *, poll: float) -> None:
        super().__init__(context, poll=poll)
        self._arrays = ArrayHanding(self)
        self._sweeps = SweepFollower(
            context.store, context.folders, self._arrays, self.title, self.patience
        )
        self._followed: dict[JobId, JobRecord] = {}
        self._elements: Mapping[JobId, Sequence[Element]] = {}

    # --- what a system does in its own way; the newest answer's `_elements` come with `_words` ---

    @abc.abstractmethod
    def largest(self) -> tuple[int, int]:
        """How many points one array may have, and one more than their largest index may be."""

    def prepare(self, spec: JobSpec) -> None:
        """Have there what every array of a sweep needs, where its folder is not there already."""

    @abc.abstractmethod
    def give(self, spec: JobSpec, folder: Path, array: Array, token: str, after: str | None) -> str:
        """Submit one array; the system's id. Raises :class:`Refused` and :class:`Unavailable`."""

    @abc.abstractmethod
    def find(self, spec: JobSpec, token: str) -> str | None:
        """The id of the array that was submitted with this token."""

    @abc.abstractmethod
    def _end_elements(self, array: str, indexes: Sequence[int] | None, *, gently: bool) -> None:
        """End a whole array, or some of it; ``gently``: our own program in them is told."""

    def _unsaid_points(
        self,
        record: JobRecord,
        unfinished: Mapping[int, JobState],
        told: Mapping[int, Element],
    ) -> Collection[int]:
        """The points that are not home, where folders travel; see :data:`~.following.Unsaid`."""
        return ()

    def _ended_sweep(self, record: JobRecord) -> None:
        """All points of a sweep have ended for us."""
        _log.debug("All points of %s have ended in %s", record.id, self.title)

    # --- jobs and sweeps ------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> str:
        """Hand a job or all points of a sweep over, once; the system's numbers of it."""
        if not spec.points:
            return super().submit(spec)
        note = self._arrays.submit(spec, self._context.folders.job(spec.id))
        self._table = (0.0, {})
        return ",".join(note.ids)

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        """What is true of jobs, and of those points that may have changed."""
        sweeps = [one for one in records if one.sweep is not None]
        self._followed = {one.id: one for one in sweeps}
        seen = dict(super().query([one for one in records if one.sweep is None]))
        mine = [one for one in sweeps if self._is_asked_for(one)]
        if mine:
            self._ask(mine)
        for record in mine:
            told = self._elements.get(record.id, ())
            now = self._sweeps.observe(record, told, self._unsaid_points)
            if now.points or record.id not in self._unsaid:
                seen[record.id] = now
            if _is_last(record, now):
                self._ended_sweep(record)
        self._sweeps.forget_others(self._followed)
        return seen

    def cancel(self, record: JobRecord) -> None:
        """Take what waits out of the system; tell what runs, which saves what it has."""
        if record.sweep is None:
            super().cancel(record)
            return
        folder = self._context.folders.job(record.id)
        note = self._arrays.note(folder)
        ids = list(note.ids)
        if not ids:
            ids = self._unheard(record, folder)
            self._context.store.cancel_if_waiting(record.id, CANCELLED)
        with self._endings.telling(record.id) as gently:
            if gently is not None:
                for array in ids:
                    self._end_elements(array, None, gently=gently)
                self._table = (0.0, {})

    def cancel_points(self, record: JobRecord, points: Sequence[int]) -> None:
        """As :meth:`cancel`, for some points. One that is not there yet finds the word when it
        starts, and runs nothing."""
        by_array: dict[str, list[int]] = {}
        for array, index in self._sweeps.places(record, points):
            by_array.setdefault(array, []).append(index)
        with self._endings.telling(f"{record.id}/{','.join(map(str, points))}") as gently:
            if gently is not None:
                for array, indexes in by_array.items():
                    self._end_elements(array, indexes, gently=gently)
                self._table = (0.0, {})

    def heal(self) -> None:
        """Hand over again what the system lost or did not start again; end what shall end."""
        super().heal()
        for record in self._followed.values():
            self._sweeps.heal(record)
            if not record.cancelling and (points := self._ending(record)):
                self.cancel_points(record, points)

    # --- inside ---------------------------------------------------------------------------------

    def _is_asked_for(self, record: JobRecord) -> bool:
        gone = not self._context.folders.job(record.id).is_dir()
        return gone or self._sweeps.handed(record)

    def _ending(self, record: JobRecord) -> list[int]:
        try:
            return self._context.store.points.cancelling(record.id)
        except NotFound:
            return []

    def _unheard(self, record: JobRecord, folder: Path) -> list[str]:
        """The arrays of calls whose answer nobody heard."""
        spec = self._context.folders.read_spec(record.id)
        tried = [n for n, one in enumerate(self._arrays.note(folder).arrays) if one.tried_at]
        found = (self.find(spec, f"{spec.token}.{number}") for number in tried)
        return [number for number in found if number is not None]


def _is_last(record: JobRecord, seen: Observation) -> bool:
    """Whether nothing of the sweep goes on after what is seen now."""
    counts = record.sweep
    if counts is None or seen.state in ENDED:
        return counts is not None
    left = counts.points - counts.succeeded - counts.failed - counts.cancelled
    return sum(one.state in ENDED for one in seen.points.values()) >= left
