"""A shared run looked at as if it were a job of one's own: its log, its notebook, a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jupyter_mlinfn.jobs.exactness.facts import Facts, FactsReader
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.follow import PIECE, read_chunk
from jupyter_mlinfn.jobs.sharing import points as sweep
from jupyter_mlinfn.jobs.sharing.taking import Found, take
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import Attempt, JobRecord, LogChunk


@dataclass(frozen=True)
class _Told:
    """What the index is for jobs of one's own."""

    record: JobRecord
    tried: Sequence[Attempt]
    points: sweep.Table

    def get(self, job: str) -> JobRecord:
        # what it says of published files is never looked up here
        return self.record.model_copy(update={"output": None})

    def attempts(self, job: str) -> Sequence[Attempt]:
        return self.tried


class SharedLook:
    """Looks at one shared run, in a checked copy below ``kept`` that is made at first use.

    All raise :class:`~jupyter_mlinfn.model.errors.Refused` for a run that is damaged.
    """

    def __init__(self, found: Found, kept: Path) -> None:
        self.found = found
        self._kept = kept
        self._job = found.note.details.job.id

    @cached_property
    def folders(self) -> JobFolders:
        """The copy, laid out like jobs of one's own."""
        return JobFolders(take(self.found, self._kept))

    def facts(self) -> Facts:
        """What it is compared by."""
        details = self.found.note.details
        told = _Told(details.job, details.attempts, self._table() or sweep.NONE)
        return FactsReader(told, self.folders).read(self._job)

    def log(self, start: int = 0, limit: int = PIECE, point: int | None = None) -> LogChunk:
        """A piece of the log of its last attempt, or of that of a point. Raises
        :class:`NotFound`."""
        if point is not None:
            self.points.get(self._job, point)
        newest = self._newest(point)
        path = newest / "log.txt" if newest else self.folders.job(self._job) / "log.txt"
        return read_chunk(path, start, limit, ended=True)

    @property
    def points(self) -> sweep.Table:
        """The points of a sweep. Raises :class:`NotFound` (``no-sweep``)."""
        found = self._table()
        if found is None:
            raise NotFound("This job is no sweep: it has no points.", code="no-sweep")
        return found

    def notebook(self) -> Path:
        """Its notebook with what it printed, else as it was given. Raises :class:`NotFound`."""
        newest = self._newest()
        places = [newest / "notebook.ipynb"] if newest else []
        places.append(self.folders.bundle(self._job) / "notebook.ipynb")
        for path in places:
            if path.is_file():
                return path
        raise NotFound("This job has no notebook.", code="no-notebook")

    def _table(self) -> sweep.Table | None:
        details = self.found.note.details
        counts, spec = details.job.sweep, details.spec
        if counts is None and not spec.points:
            return None
        folder = self.folders.job(self._job)  # whose points were checked when they were copied
        return sweep.read(folder, str(spec.points_sha256), counts and counts.throttle)

    def _newest(self, point: int | None = None) -> Path | None:
        numbers = self.folders.attempts(self._job, point)
        return self.folders.attempt(self._job, numbers[-1], point) if numbers else None
