"""Giving a committed job to its back-end, and noting what that said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import JobRecord, JobSpec, Reason

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.jobs.store import JobStore


def hand_over(store: JobStore, backend: Backend, spec: JobSpec) -> JobRecord:
    """The job as it is after its back-end took it, or refused it for good: then it has failed.

    Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the back-end is silent: the job
    waits.
    """
    try:
        return store.accepted(spec.id, backend.submit(spec))
    except Refused as error:
        reason = Reason(code="refused-by-system", text=f"{error.text} None of your code ran.")
        return store.observe(spec.id, Observation(state="failed", reason=reason))
