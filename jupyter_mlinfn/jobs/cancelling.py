"""Ending a job before its end, so that the wish survives whatever is killed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import ENDED, WAITING, JobRecord, Reason

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.jobs.store import JobStore

OWN_QUEUE: Final = "local"
"""The back-end whose queue is our own index: there, a waiting job is cancelled by its row alone."""

BY_USER: Final = Reason(code="cancelled-by-user", text="You cancelled this job.")


def cancel(store: JobStore, folders: JobFolders, backend: Backend, record: JobRecord) -> JobRecord:
    """Make a job end: at once when it waits in our own queue, else by its back-end.

    Harmless when repeated. The wish is durable in index and folder before the back-end is asked;
    raises :class:`Unavailable` when that is silent, and the reconciler asks again.
    """
    if record.state in ENDED:
        return record
    record = store.mark_cancelling(record.id)
    try:
        folders.request_cancel(record.id)
    except NotFound:
        # a damaged job must end too; the row says so
        store.mark_cancelling(record.id)
    waits_here = record.backend == OWN_QUEUE and record.state in WAITING
    if waits_here and store.cancel_if_waiting(record.id, BY_USER):
        return store.get(record.id)
    backend.cancel(record)
    return store.get(record.id)
