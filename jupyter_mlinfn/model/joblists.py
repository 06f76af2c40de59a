"""Long lists of jobs: what to look for, what was found, and one thing done to many of them."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import AwareDatetime, Field, model_validator

from jupyter_mlinfn.model.jobs import ENDED, Frozen, JobId, JobPage, JobState

GROUPS: Final[tuple[tuple[JobState, ...], ...]] = (
    ("starting", "running"),
    ("queued", "evicted"),
    ("failed",),
    ("succeeded",),
    ("cancelled",),
)
"""The order of a grouped list: what goes on first, then what wants a look, then the rest."""

JobOrder = Literal["newest", "groups"]
BulkVerb = Literal["cancel", "rerun", "delete"]

APPLIES: Final[dict[BulkVerb, frozenset[JobState]]] = {
    "cancel": frozenset({"queued", "starting", "running", "evicted"}),
    "rerun": ENDED,
    "delete": ENDED,
}
"""The states in which a verb means something."""

MOST_AT_ONCE: Final = 200
"""So many jobs one call of a bulk action takes by their ids."""


class JobFilter(Frozen):
    """Which jobs; what is left out does not limit.

    Several values of one field mean any of them; ``search`` means all of its words. ``since``:
    submitted at that time or later. ``sweep``: sweeps only, or single jobs only.
    """

    state: tuple[JobState, ...] = Field(default=(), max_length=20)
    backend: tuple[str, ...] = Field(default=(), max_length=100)
    environment: tuple[str, ...] = Field(default=(), max_length=100)
    search: str | None = None
    since: AwareDatetime | None = None
    sweep: bool | None = None


class JobChoices(Frozen):
    """What a list can be narrowed to: the places and environments that its jobs have."""

    backends: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


class FoundJobs(JobPage):
    """One page of the jobs that a filter lets through.

    ``matching`` counts all of them by state, on all pages. ``choices`` comes with the first page.
    """

    matching: dict[JobState, int] = Field(default={})
    choices: JobChoices | None = None


class BulkRequest(Frozen):
    """One thing to be done to many jobs: those named in ``jobs``, or all that are ``matching``.

    One call does what can be done in a few seconds. Go on with the jobs that have no result, or
    with the answer's ``next`` as ``cursor``. ``outputs``: delete the output folders as well.
    """

    jobs: tuple[JobId, ...] = Field(default=(), max_length=MOST_AT_ONCE)
    matching: JobFilter | None = None
    cursor: str | None = Field(default=None, max_length=200)
    outputs: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> BulkRequest:
        if bool(self.jobs) == (self.matching is not None):
            raise ValueError("Give either jobs or matching.")
        return self


class BulkResult(Frozen):
    """What became of one job. ``made``: the job a rerun gave. ``text``: why it did not work."""

    id: JobId
    name: str | None = None
    ok: bool
    code: str | None = None
    text: str | None = None
    made: JobId | None = None


class BulkAnswer(Frozen):
    """What became of every job this call came to; ``next`` when more of them match."""

    results: tuple[BulkResult, ...]
    next: str | None = None
