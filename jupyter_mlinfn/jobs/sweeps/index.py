"""The points of sweeps in the index: asked for by people, changed by back-ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select, update

from jupyter_mlinfn.jobs.claims import release
from jupyter_mlinfn.jobs.missing import no_job
from jupyter_mlinfn.jobs.rows import document, record_of, select_jobs
from jupyter_mlinfn.jobs.sweeps import pages
from jupyter_mlinfn.jobs.sweeps.rows import change_point, follow, point_of, rows_of
from jupyter_mlinfn.jobs.tables import jobs, points
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import ACTIVE, ENDED, WAITING, JobRecord, JobState, Reason
from jupyter_mlinfn.model.sweeps import Point, PointFilter, PointPage

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.index import JobIndex


class SweepIndex:
    """Every method is one short transaction. ``job`` is a whole id everywhere."""

    def __init__(self, index: JobIndex) -> None:
        self._index = index

    def page(
        self,
        job: str,
        wanted: PointFilter | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> PointPage:
        """One page; see :func:`pages.page_of`. Raises :class:`NotFound`."""
        with self._index.read() as connection:
            row = _row(connection, job)
            return pages.page_of(connection, row, wanted or PointFilter(), limit, cursor)

    def all(self, job: str) -> list[Point]:
        """All points, in order."""
        with self._index.read() as connection:
            return list(pages.all_of(connection, job))

    def get(self, job: str, number: int) -> Point:
        """One point. Raises :class:`NotFound` (``point-not-found``)."""
        found = self.some(job, [number])
        if not found:
            raise NotFound(f"This job has no point {number}.", code="point-not-found")
        return found[0]

    def some(self, job: str, numbers: Sequence[int]) -> list[Point]:
        """These points, as far as they are there."""
        with self._index.read() as connection:
            found = [point_of(row) for row in rows_of(connection, job, list(numbers))]
        return sorted(found, key=lambda point: point.index)

    def active(self, job: str) -> list[Point]:
        """The points that have started and not ended."""
        query = select(points).where(points.c.job == job, points.c.state.in_(sorted(ACTIVE)))
        with self._index.read() as connection:
            return [point_of(row) for row in connection.execute(query.order_by(points.c.number))]

    def unfinished(self, job: str) -> dict[int, JobState]:
        """The states of the points that have not ended; from an index alone."""
        query = select(points.c.number, points.c.state).where(
            points.c.job == job, points.c.state.in_(sorted(WAITING | ACTIVE))
        )
        with self._index.read() as connection:
            return {row.number: row.state for row in connection.execute(query)}

    def cancelling(self, job: str) -> list[int]:
        """The points that shall end and have not yet."""
        query = select(points.c.number).where(
            points.c.job == job,
            points.c.state.in_(sorted(WAITING | ACTIVE)),
            points.c.cancelling.is_(True),
        )
        with self._index.read() as connection:
            return list(connection.execute(query.order_by(points.c.number)).scalars())

    def numbers(self, job: str, states: Sequence[JobState]) -> list[int]:
        """The numbers of the points in these states."""
        query = select(points.c.number).where(
            points.c.job == job, points.c.state.in_(sorted(set(states)))
        )
        with self._index.read() as connection:
            return list(connection.execute(query.order_by(points.c.number)).scalars())

    def waiting(self, backend: str) -> bool:
        """Whether a point of any sweep of this back-end waits."""
        query = select(points.c.number).join(jobs, jobs.c.id == points.c.job)
        query = query.where(
            jobs.c.backend == backend,
            jobs.c.state.in_(sorted(WAITING | ACTIVE)),
            points.c.state.in_(sorted(WAITING)),
        )
        with self._index.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def mark_cancelling(self, job: str, numbers: Sequence[int]) -> JobRecord:
        """Note that these points shall end; they take no slot any more."""
        with self._index.write() as connection:
            _row(connection, job)
            for row in list(rows_of(connection, job, list(numbers))):
                if row.state not in ENDED and not row.cancelling:
                    change_point(connection, job, row.number, cancelling=True)
            return record_of(_row(connection, job))

    def cancel_waiting(self, job: str, reason: Reason, numbers: Sequence[int] | None = None) -> int:
        """Cancel the points that wait, all or those of ``numbers``, at once; how many."""
        here = [points.c.job == job, points.c.state.in_(sorted(WAITING))]
        if numbers is not None:
            here.append(points.c.number.in_(list(numbers)))
        values = {"state": "cancelled", "reason": document(reason), "cancelling": False}
        with self._index.write() as connection:
            row = _row(connection, job)
            done = connection.execute(update(points).where(*here).values(**values)).rowcount
            if done:
                follow(connection, row)
            return done

    def requeue(
        self,
        job: str,
        number: int,
        attempt: int,
        reason: Reason | None,
        state: JobState = "queued",
    ) -> bool:
        """Let a started point wait again, as :meth:`JobStore.requeue` does a job."""
        with self._index.write() as connection:
            job_row = _row(connection, job)
            for row in list(rows_of(connection, job, [number])):
                if row.state not in ACTIVE or row.attempts != attempt:
                    return False
                told: Mapping[str, Any] = {"state": state, "reason": document(reason)}
                change_point(connection, job, number, started_at=None, **told)
                release(connection, job, number)
                follow(connection, job_row)
                return True
            return False


def _row(connection: Connection, job: str) -> Row[Any]:
    row = connection.execute(select_jobs().where(jobs.c.id == job)).one_or_none()
    if row is None:
        raise no_job(job)
    return row
