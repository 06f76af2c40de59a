"""Which jobs owe something in the index. Imports SQLAlchemy, as the store does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from jupyter_mlinfn.jobs.rows import change
from jupyter_mlinfn.jobs.tables import jobs

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.index import JobIndex


def owed(index: JobIndex) -> list[tuple[str, str]]:
    """Id and state of the jobs for which something is to be done."""
    query = select(jobs.c.id, jobs.c.state).where(jobs.c.owes.is_(True))
    with index.read() as connection:
        return [(row.id, row.state) for row in connection.execute(query)]


def paid(index: JobIndex, job: str) -> None:
    """Nothing is to be done for this job any more."""
    with index.write() as connection:
        change(connection, job, owes=False)
