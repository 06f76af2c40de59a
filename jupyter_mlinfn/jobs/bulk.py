"""One thing done to many jobs: each gets its own result, and one fault stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.model.errors import MlinfnError, NotFound, Problem
from jupyter_mlinfn.model.joblists import (
    APPLIES,
    BulkAnswer,
    BulkRequest,
    BulkResult,
    BulkVerb,
    JobFilter,
)
from jupyter_mlinfn.model.jobs import JobRecord, RerunRequest

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.actions import JobActions
    from jupyter_mlinfn.jobs.store import JobStore
    from jupyter_mlinfn.jobs.submission import Submission

SECONDS: Final = 3.0
"""A call begins no further job after this time, so that people see how far it is."""

AT_ONCE: Final = 100
"""So many jobs of "all that match" at most in one call."""

Verb = Callable[[JobRecord], JobRecord | None]


class BulkActions:
    """The verbs of :class:`JobActions` and :class:`Submission`, for many jobs."""

    def __init__(self, store: JobStore, actions: JobActions, submission: Submission) -> None:
        self._store = store
        self._actions = actions
        self._submission = submission

    def carry_out(self, verb: BulkVerb, request: BulkRequest, key: str | None = None) -> BulkAnswer:
        """Do ``verb`` to the jobs of ``request``, as many as there is time for, at least one.

        With the same ``key`` again a rerun that was made is not made a second time.
        Raises :class:`InputError` for a filter or cursor that cannot be used.
        """
        act = self._verb(verb, request, key)
        if request.matching is not None:
            return self._matching(act, _limited(request.matching, verb), request.cursor)
        return BulkAnswer(results=tuple(_in_time(self._named(act, job) for job in request.jobs)))

    def _verb(self, verb: BulkVerb, request: BulkRequest, key: str | None) -> Verb:
        def delete(job: JobRecord) -> None:
            self._actions.delete(job.id, outputs=request.outputs)

        def rerun(job: JobRecord) -> JobRecord:
            one = None if key is None else f"{key}:{job.id}"
            return self._submission.rerun(job.id, RerunRequest(), key=one)

        def cancel(job: JobRecord) -> None:
            self._actions.cancel(job.id)

        verbs: dict[BulkVerb, Verb] = {"cancel": cancel, "rerun": rerun, "delete": delete}
        return verbs[verb]

    def _matching(self, act: Verb, wanted: JobFilter | None, cursor: str | None) -> BulkAnswer:
        if wanted is None:
            return BulkAnswer(results=())
        jobs, more = self._store.chosen(wanted, AT_ONCE, cursor)
        results = list(_in_time(_result(act, job) for _, job in jobs))
        done = len(results)
        following = jobs[done - 1][0] if done and (more or done < len(jobs)) else None
        return BulkAnswer(results=tuple(results), next=following)

    def _named(self, act: Verb, job: str) -> BulkResult:
        try:
            record = self._store.get(job)
        except NotFound as error:
            return _refused(job, None, error.problems[0])
        return _result(act, record)


def _limited(wanted: JobFilter, verb: BulkVerb) -> JobFilter | None:
    """The filter without the jobs that the verb means nothing for; ``None``: all of them."""
    states = APPLIES[verb] & set(wanted.state) if wanted.state else APPLIES[verb]
    return wanted.model_copy(update={"state": tuple(sorted(states))}) if states else None


def _in_time(results: Iterator[BulkResult]) -> Iterator[BulkResult]:
    until = monotonic() + SECONDS
    for result in results:
        yield result
        if monotonic() > until:
            return


def _result(act: Verb, job: JobRecord) -> BulkResult:
    try:
        made = act(job)
    except MlinfnError as error:
        return _refused(job.id, job.name, error.problems[0])
    except OSError as error:
        text = f"A file of it could not be changed: {error.strerror}."
        return _refused(job.id, job.name, Problem(code="files", text=text))
    return BulkResult(id=job.id, name=job.name, ok=True, made=made and made.id)


def _refused(job: str, name: str | None, problem: Problem) -> BulkResult:
    return BulkResult(id=job, name=name, ok=False, code=problem.code, text=problem.text)
