"""Saying that there is no job of an id, and which one may have been meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from jupyter_mlinfn.jobs.tables import jobs
from jupyter_mlinfn.model.errors import NotFound

_LIKE_AN_ID: Final = re.compile(r"[a-z2-7]{1,10}", re.ASCII)
_ALIKE: Final = 3
"""Ids are near that begin alike for so many characters: by chance 1 of 32768 does."""
_NAMED: Final = 3
_SHOWN: Final = 40


def no_job(
    job: str, near: Sequence[str] = (), *, code: str = "job-not-found", field: str = "job"
) -> NotFound:
    """There is no job called so; ``near`` are ids that may have been meant."""
    shown = ascii(job[:_SHOWN])[1:-1] + ("…" if len(job) > _SHOWN else "")
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    text = f"There is no job '{shown}'.{meant} Look at the list of jobs for the right id."
    return NotFound(text, code=code, field=field)


def near_ids(connection: Connection, job: str) -> list[str]:
    """The ids that begin as ``job`` does for longest, three at most; none where that is short."""
    begin = _LIKE_AN_ID.match(job.strip().lower())
    for length in range(begin.end() if begin else 0, _ALIKE - 1, -1):
        alike = job.strip().lower()[:length]
        found = select(jobs.c.id).where(jobs.c.id >= alike, jobs.c.id < alike + "{").limit(_NAMED)
        if near := list(connection.scalars(found)):
            return near
    return []
