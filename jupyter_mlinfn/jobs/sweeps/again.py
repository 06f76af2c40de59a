"""A new sweep from an earlier one: with the points it had, or only some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sweeps import pointfile
from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.jobs import JobSpec, JobState
from jupyter_mlinfn.model.sweeps import Sweep


class Numbers(Protocol):
    """Who knows which points are in which state."""

    def numbers(self, job: str, states: Sequence[JobState], /) -> list[int]:
        """The numbers of the points in these states."""


def again(
    points: Numbers,
    folders: JobFolders,
    before: JobSpec,
    which: Literal["failed"] | Sequence[int] | None,
) -> Sweep:
    """The points of the sweep ``before`` as rows: all of them, those of these numbers, or those
    that ended and did not succeed.

    What was written down counts, and not a table that may have changed since. Raises
    :class:`NotFound` when that is gone, :class:`InputError` when no point is left.
    """
    try:
        rows = pointfile.read(folders.job(before.id), before.points_sha256)
    except (OSError, ValueError) as error:
        raise NotFound(
            f"The points of job {before.id} cannot be read, so it cannot run again.",
            code="bundle-damaged",
        ) from error
    wanted: Sequence[int] = range(len(rows))
    if which == "failed":
        wanted = points.numbers(before.id, ("failed", "cancelled"))
    elif which is not None:
        wanted = sorted(set(which))
    beyond = [number for number in wanted if number >= len(rows)]
    if beyond or not wanted:
        text = f"This sweep has no point {beyond[0]}." if beyond else "No point has failed."
        raise InputError(text, code="no-points", field="points")
    return Sweep(rows=tuple(rows[number] for number in wanted), throttle=before.throttle)
