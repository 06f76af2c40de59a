"""Ending a job before its end, so that the wish survives whatever is killed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.errors import NotFound, PartMissing, Refused, Unavailable
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, Reason

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.jobs.store import JobStore

BY_USER: Final = Reason(
    code="cancelled-by-user",
    text="You cancelled this job. Its folder was gone, so nothing more is known of it.",
)

_TRIED_AGAIN: Final = (Unavailable, PartMissing, Refused)
_ASKED_AGAIN: Final = "An open JupyterLab asks again by itself; without one, 'mlinfn jobs' does."


def cancel(store: JobStore, folders: JobFolders, backend: Backend, record: JobRecord) -> JobRecord:
    """Make a job end; harmless when repeated. The record as it is then.

    The wish is durable in index and folder before the back-end is asked; raises
    :class:`Unavailable` when that is silent, saying so, and the reconciler asks again.
    """
    if record.state in ENDED:
        return record
    record = store.mark_cancelling(record.id)
    try:
        folders.request_cancel(record.id)
    except NotFound:
        # without its folder a waiting job cannot start any more
        if store.cancel_if_waiting(record.id, BY_USER):
            return store.get(record.id)
        raise
    with _wish_taken("job"):
        backend.cancel(record)
    return store.get(record.id)


def cancel_points(
    store: JobStore,
    folders: JobFolders,
    backend: Backend,
    record: JobRecord,
    points: Sequence[int],
) -> JobRecord:
    """Make some points of a sweep end, as :func:`cancel` does with a whole job.

    Raises :class:`NotFound` for a job that is no sweep and for a point that is not there.
    """
    if record.sweep is None:
        raise NotFound("This job is no sweep: it has no points.", code="no-sweep")
    present = store.points.some(record.id, points)
    if len(present) < len(set(points)):
        missing = min(set(points) - {point.index for point in present})
        raise NotFound(f"This sweep has no point {missing}.", code="point-not-found")
    going = [point.index for point in present if point.state not in ENDED]
    if not going:
        return record
    record = store.points.mark_cancelling(record.id, going)
    for number in going:
        folders.request_cancel(record.id, number)
    with _wish_taken("point" if len(going) == 1 else "points"):
        backend.cancel_points(record, going)
    return store.get(record.id)


@contextmanager
def _wish_taken(what: Literal["job", "point", "points"]) -> Iterator[None]:
    """Say beside the error of a back-end that the wish outlives it."""
    try:
        yield
    except _TRIED_AGAIN as error:
        are = "are" if what == "points" else "is"
        kind = next(one for one in _TRIED_AGAIN if isinstance(error, one))
        raise kind(
            f"Your wish is taken. {error.text} The {what} {are} cancelled as soon as that changes.",
            code=error.code,
            hint=error.hint or _ASKED_AGAIN,
        ) from error
