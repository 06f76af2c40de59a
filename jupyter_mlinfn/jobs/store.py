"""The index of jobs: durable intents, states that only move forward, slots, pages.

Import this late: it loads SQLAlchemy. Every method is short, synchronous and thread-safe, and
several processes may use one index at the same time. All methods raise
:class:`~jupyter_mlinfn.model.errors.Unavailable` when the database cannot be used for now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import Connection, Row, Select, delete, select
from sqlalchemy.exc import IntegrityError

from jupyter_mlinfn.jobs import claims as slots
from jupyter_mlinfn.jobs import observing, pages
from jupyter_mlinfn.jobs.backends.protocol import Capacity, Claim, Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.holding import settle, settle_all
from jupyter_mlinfn.jobs.index import JobIndex
from jupyter_mlinfn.jobs.missing import near_ids, no_job
from jupyter_mlinfn.jobs.rows import (
    add_row,
    attempt_of,
    change,
    columns_of,
    document,
    next_revision,
    record_of,
    row_of,
    same_row,
    select_jobs,
)
from jupyter_mlinfn.jobs.sweeps.index import SweepIndex
from jupyter_mlinfn.jobs.sweeps.rows import add_points, sweep_columns
from jupyter_mlinfn.jobs.tables import attempts, deleted, jobs
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.errors import Conflict, InputError
from jupyter_mlinfn.model.joblists import FoundJobs, JobFilter, JobOrder
from jupyter_mlinfn.model.jobs import (
    ACTIVE,
    ENDED,
    WAITING,
    Attempt,
    JobCounts,
    JobPage,
    JobRecord,
    JobRequest,
    JobSpec,
    JobState,
    Reason,
    Usage,
)

_PREFIX: Final = re.compile(r"[a-z2-7]{1,10}", re.ASCII)
_REMEMBERED_DELETIONS: Final = 1000


class JobStore:
    """The index in the SQLite file ``database``.

    With ``folders``, an index that is new, was lost or is damaged is rebuilt from them before
    its first use. ``patience``: how long to wait for another writer, in seconds.
    """

    def __init__(
        self, database: Path, folders: JobFolders | None = None, *, patience: float = 5.0
    ) -> None:
        self.index = JobIndex(database, folders, patience)
        self.database = self.index.database
        self.points = SweepIndex(self.index)

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self.database.close()

    def insert(
        self,
        spec: JobSpec,
        request: JobRequest,
        key: str | None = None,
        points: Sequence[Mapping[str, JsonValue]] = (),
        written: bytes | None = None,
    ) -> JobRecord:
        """Commit the intent to run ``spec``, of a sweep with the parameters of its ``points``
        (``written``: as they were just written down); durable when this returns.

        The same ``key`` or the same token again gives the job that is there already.
        Raises :class:`Conflict` (``id-taken``) when another job has this id.
        """
        with self.index.write() as connection:
            present = same_row(connection, spec.token, key)
            if present is None:
                values = columns_of(spec, request) | sweep_columns(spec, points)
                values |= {"key": key, "revision": next_revision(connection)}
                try:
                    present = add_row(connection, values)
                except IntegrityError as error:
                    raise Conflict(f"There is a job {spec.id} already.", code="id-taken") from error
                add_points(connection, spec, points, written)
            return record_of(present)

    def by_key(self, key: str) -> JobRecord | None:
        """The job submitted with this idempotency key."""
        with self.index.read() as connection:
            row = connection.execute(select_jobs().where(jobs.c.key == key)).one_or_none()
            return None if row is None else record_of(row)

    def get(self, job: str) -> JobRecord:
        """The job with this id, or whose id alone begins so.

        Raises :class:`NotFound`, and :class:`InputError` for a beginning that several share.
        """
        # ids are lower-case letters and digits, so "{" sorts after all of them
        query = select_jobs().where(jobs.c.id >= job, jobs.c.id < job + "{").limit(4)
        with self.index.read() as connection:
            rows = connection.execute(query).all() if _PREFIX.fullmatch(job) else []
            if not rows:
                raise no_job(job, near_ids(connection, job))
        if len(rows) > 1:
            some = ", ".join(row.id for row in rows[:3])
            raise InputError(
                f"Several jobs begin with {job}: {some}. Type more of the id.",
                code="ambiguous-job",
                field="job",
            )
        return record_of(rows[0])

    def page(
        self,
        states: Sequence[JobState] = (),
        search: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """One page of jobs, newest first; see :func:`pages.page_of`."""
        with self.index.read() as connection:
            return pages.page_of(connection, states, search, limit, cursor)

    def found(
        self,
        wanted: JobFilter,
        limit: int,
        cursor: str | None,
        order: JobOrder = "newest",
        skip: Sequence[JobState] = (),
    ) -> FoundJobs:
        """One page of what ``wanted`` lets through, with its numbers; see :func:`pages.found`."""
        with self.index.read() as connection:
            return pages.found(connection, wanted, limit, cursor, order, skip)

    def chosen(
        self, wanted: JobFilter, limit: int, cursor: str | None
    ) -> tuple[list[tuple[str, JobRecord]], bool]:
        """The newest jobs ``wanted`` lets through after ``cursor``, each with the cursor of the
        jobs behind it; true when there are more."""
        with self.index.read() as connection:
            rows, following = pages.rows_of(connection, wanted, limit, cursor)
        return [(f"n{row.number}", record_of(row)) for row in rows], following is not None

    def counts(self) -> JobCounts:
        """The numbers above the list."""
        with self.index.read() as connection:
            return pages.count(connection)

    def revision(self) -> int:
        """The number of the newest change; cheap, and the same in all processes."""
        with self.index.read() as connection:
            return pages.revision_now(connection)

    def changed_since(self, revision: int) -> tuple[int, list[JobRecord], list[str]]:
        """The revision now, jobs changed and ids deleted since; see :func:`pages.changed_after`."""
        with self.index.read() as connection:
            return pages.changed_after(connection, revision)

    def unfinished(self, backend: str) -> list[JobRecord]:
        """All jobs of a back-end that have not ended, in queue order."""
        return self._records(_of(backend, WAITING | ACTIVE))

    def waiting(self, backend: str) -> list[JobRecord]:
        """The jobs of a back-end that wait to start, in queue order."""
        return self._records(_of(backend, WAITING))

    def active(self, backend: str) -> list[JobRecord]:
        """The jobs of a back-end that have started and not ended, in queue order."""
        return self._records(_of(backend, ACTIVE))

    def ended_before(self, limit: datetime, states: Sequence[JobState]) -> list[JobRecord]:
        """The jobs that ended in one of ``states`` before ``limit``, oldest first."""
        wanted = (jobs.c.state.in_(sorted(set(states) & ENDED)), jobs.c.ended_at < limit)
        return self._records(select_jobs().where(*wanted).order_by(jobs.c.number))

    def attempts(self, job: str) -> tuple[Attempt, ...]:
        """All starts of a job, first one first."""
        query = select(attempts).where(attempts.c.job == job).order_by(attempts.c.number)
        with self.index.read() as connection:
            return tuple(attempt_of(row) for row in connection.execute(query))

    def observe(self, job: str, seen: Observation) -> JobRecord:
        """Apply what a back-end says, only forward. Raises :class:`NotFound`."""
        self.observe_all({job: seen})
        return self._exactly(job)

    def observe_all(self, seen: Mapping[str, Observation]) -> int:
        """Apply many observations in one transaction; how many jobs changed.

        Nothing is written, and no lock taken, when they say nothing new.
        """
        with self.index.read() as connection:
            rows = observing.rows_of(connection, list(seen))
            news = [row.id for row in rows if observing.is_news(connection, row, seen[row.id])]
        if not news:
            return 0
        with self.index.write() as connection:
            return sum(observing.apply(connection, job, seen[job]) for job in news)

    def still_held(self) -> frozenset[str]:
        """The jobs that wait for others, after those that wait for nothing more were let go."""
        return settle_all(self.index)

    def set_reason(self, job: str, reason: Reason | None) -> None:
        """Say why a job that has not ended is in its state."""
        with self.index.write() as connection:
            row = _row(connection, job)
            if row.state not in ENDED and row.reason != document(reason):
                change(connection, job, reason=document(reason))

    def accepted(self, job: str, backend_id: str) -> JobRecord:
        """Record the id the back-end gave."""
        with self.index.write() as connection:
            if _row(connection, job).backend_id != backend_id:
                change(connection, job, backend_id=backend_id)
            return record_of(_row(connection, job))

    def mark_cancelling(self, job: str) -> JobRecord:
        """Note that a job which has not ended shall end; it takes no slot any more."""
        with self.index.write() as connection:
            row = _row(connection, job)
            if row.state not in ENDED and not row.cancelling:
                change(connection, job, cancelling=True)
            return record_of(_row(connection, job))

    def cancel_if_waiting(self, job: str, reason: Reason) -> bool:
        """Cancel a job that waits, at once; false when it does not wait (it may have started)."""
        with self.index.write() as connection:
            row = _row(connection, job)
            if row.state not in WAITING:
                return False
            if row.sweep is not None:
                return observing.apply(
                    connection, job, Observation(state="cancelled", reason=reason)
                )
            now = datetime.now(UTC)
            change(
                connection,
                job,
                state="cancelled",
                reason=document(reason),
                ended_at=now,
                cancelling=False,
                unknown_since=None,
            )
            slots.release(connection, job)
            return True

    def claim(
        self,
        machine: str,
        capacity: Capacity,
        free: Sequence[FreeAccelerator],
        *,
        backend: str = "local",
    ) -> Claim | None:
        """Give the next waiting job that fits its slot on ``machine`` and a new attempt.

        One transaction that holds the write lock from its start: claimers in any number of
        processes never give away more than ``capacity``, nor one accelerator twice.
        """
        with self.index.write() as connection:
            settle(connection)
            return slots.claim_next(connection, backend, machine, capacity, free)

    def claims(self, machine: str) -> list[Claim]:
        """The slots held on ``machine``, in queue order."""
        with self.index.read() as connection:
            return slots.held_on(connection, machine)

    def requeue(
        self,
        job: str,
        attempt: int,
        reason: Reason | None,
        *,
        state: JobState = "queued",
        point: int | None = None,
    ) -> bool:
        """Let a started job, or a point of it, wait again: ``attempt`` is over. Its slot is free,
        its place kept.

        ``state`` is ``queued``, or ``evicted`` when user code had run. False when the job has
        ended or is at another attempt already.
        """
        if point is not None:
            return self.points.requeue(job, point, attempt, reason, state)
        with self.index.write() as connection:
            row = _row(connection, job)
            if row.state not in ACTIVE or row.attempts != attempt:
                return False
            slots.give_back(connection, job, attempt, reason, state)
            return True

    def delete(self, job: str) -> None:
        """Forget an ended job. Raises :class:`Conflict` while it has not ended."""
        with self.index.write() as connection:
            row = _row(connection, job)
            if row.state not in ENDED:
                raise Conflict(
                    f"The job {row.name} has not ended yet. Cancel it first.",
                    code="job-active",
                    field="job",
                )
            settle(connection)  # whoever came after it learns how it ended
            connection.execute(delete(jobs).where(jobs.c.id == job))
            self._note_deleted(connection, job)

    def last_request(self, source: str) -> JobRequest | None:
        """The newest request for this notebook (without a cell's text)."""
        query = select(jobs.c.request).where(jobs.c.source == source, jobs.c.kind != "cell")
        found = self._newest(query)
        return None if found is None else JobRequest.model_validate(found)

    def last_usage(self, source: str) -> Usage | None:
        """What the newest job of this notebook that succeeded has used."""
        done = (jobs.c.source == source, jobs.c.state == "succeeded", jobs.c.usage.is_not(None))
        found = self._newest(select(jobs.c.usage).where(*done))
        return None if found is None else Usage.model_validate(found)

    def adopt(self, folders: JobFolders, ids: Iterable[str]) -> int:
        """Take in those of ``ids`` that are submitted and have no row (a lost index, another
        machine's submit) and were not just deleted; how many."""
        return self.index.adopt(folders, ids)

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that are in the index."""
        return self.index.known(ids)

    def _newest(self, query: Select[Any]) -> Any:
        with self.index.read() as connection:
            return connection.execute(query.order_by(jobs.c.number.desc()).limit(1)).scalar()

    def _records(self, query: Select[Any]) -> list[JobRecord]:
        with self.index.read() as connection:
            return [record_of(row) for row in connection.execute(query)]

    def _exactly(self, job: str) -> JobRecord:
        with self.index.read() as connection:
            return record_of(_row(connection, job))

    def _note_deleted(self, connection: Connection, job: str) -> None:
        revision = next_revision(connection)
        connection.execute(
            deleted.insert().prefix_with("OR REPLACE").values(id=job, revision=revision)
        )
        old = deleted.c.revision <= revision - _REMEMBERED_DELETIONS
        connection.execute(delete(deleted).where(old))


def _of(backend: str, states: Iterable[JobState]) -> Select[Any]:
    wanted = (jobs.c.state.in_(sorted(states)), jobs.c.backend == backend)
    return select_jobs().where(*wanted).order_by(jobs.c.number)


def _row(connection: Connection, job: str) -> Row[Any]:
    row = row_of(connection, job)
    if row is None:
        raise no_job(job)
    return row
