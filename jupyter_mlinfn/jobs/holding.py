"""Holds jobs back in the index that come after others, and lets them go.

``held`` says that a job still waits so; whoever looks at the index lets go what waits for nothing
more. Imports SQLAlchemy, as the store does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from jupyter_mlinfn.jobs import observing
from jupyter_mlinfn.jobs.after import NOT_OK
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.rows import change, document, wishes_of
from jupyter_mlinfn.jobs.tables import jobs
from jupyter_mlinfn.model.jobs import ENDED, WAITING, Reason
from jupyter_mlinfn.model.wishes import Wishes

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.index import JobIndex


@dataclass(frozen=True)
class Standing:
    """``waits``: the names of jobs that have not ended; ``never``: why it never can run."""

    waits: tuple[str, ...] = ()
    never: str = ""

    @property
    def text(self) -> str:
        """What it waits for, in words."""
        if len(self.waits) == 1:
            return f"Waits for the job {self.waits[0]} to end."
        return f"Waits for {len(self.waits)} jobs to end, such as {self.waits[0]}."


def settle(connection: Connection) -> bool:
    """Let go what waits for no job any more, and end what never can run; whether any was.

    One that ends so may be the one that another waits for.
    """
    settled = False
    while sum(_settle(connection, row) for row in _held(connection)):
        settled = True
    return settled


def settle_all(index: JobIndex) -> frozenset[str]:
    """:meth:`settle` where anything is held, and the ids of those that still are."""
    with index.read() as connection:
        if not _held(connection):
            return frozenset()
    with index.write() as connection:
        settle(connection)
        return frozenset(row.id for row in _held(connection))


def _held(connection: Connection) -> list[Row[Any]]:
    columns = (jobs.c.id, jobs.c.wishes, jobs.c.reason, jobs.c.state, jobs.c.cancelling)
    return list(connection.execute(select(*columns).where(jobs.c.held.is_(True))))


def _settle(connection: Connection, row: Row[Any]) -> bool:
    """Whether this job is held no more."""
    if row.state not in WAITING:
        # it was cancelled, or its batch system waited by itself and has started it
        change(connection, row.id, held=False)
        return True
    standing = _standing(connection, wishes_of(row))
    if standing.never and not row.cancelling:
        reason = Reason(code="dependency-failed", text=standing.never)
        observing.apply(connection, row.id, Observation(state="failed", reason=reason))
        change(connection, row.id, held=False)
        return True
    if not standing.waits:
        change(connection, row.id, held=False, reason=None)
        return True
    if row.reason is None:
        reason = Reason(code="waits-for-job", text=standing.text)
        change(connection, row.id, reason=document(reason))
    return False


def _standing(connection: Connection, wishes: Wishes) -> Standing:
    named = {*wishes.after, *wishes.after_ok}
    columns = (jobs.c.id, jobs.c.name, jobs.c.state)
    there = {
        row.id: row for row in connection.execute(select(*columns).where(jobs.c.id.in_(named)))
    }
    for job in wishes.after_ok:
        row = there.get(job)
        # one that succeeded and was deleted then had let go of those behind it
        said = "it was deleted" if row is None else NOT_OK.get(row.state)
        if said:
            name = f"The job {job}" if row is None else f"The job {row.name} ({job})"
            return Standing(
                never=f"{name} had to succeed first, and {said}. None of your code ran."
            )
    going = [row for row in there.values() if row.state not in ENDED]
    return Standing(waits=tuple(f"{row.name} ({row.id})" for row in going))
