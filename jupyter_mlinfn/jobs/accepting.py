"""Taking a job once, giving a committed one to its back-end, and noting what that said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobSpec, Reason

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.jobs.folders import JobFolders
    from jupyter_mlinfn.jobs.keys import Claim
    from jupyter_mlinfn.jobs.store import JobStore


def made_before(store: JobStore, folders: JobFolders, claim: Claim) -> JobRecord | None:
    """The job of an equal submit, also one that was made on another host or by a process that was
    killed before it could say so; ``None`` where there is none, or its folder is gone."""
    if (present := store.by_key(claim.key)) is not None:
        return present
    if claim.job is None or not folders.complete(claim.job):
        return None
    folders.mark_committed(claim.job)
    store.adopt(folders, [claim.job])
    return store.by_key(claim.key)


def hand_over(store: JobStore, backend: Backend, spec: JobSpec) -> JobRecord:
    """The job as it is after its back-end took it, or refused it for good: then it has failed.

    One that ended meanwhile, because somebody cancelled it, is taken out of the system again.
    Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the back-end is silent: the job
    waits.
    """
    try:
        record = store.accepted(spec.id, backend.submit(spec))
    except Refused as error:
        reason = Reason(code="refused-by-system", text=f"{error.text} None of your code ran.")
        return store.observe(spec.id, Observation(state="failed", reason=reason))
    if record.state in ENDED and not record.attempts:
        backend.cancel(record)
    return record
