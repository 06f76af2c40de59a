"""Reads the job folders into an index that is new, was lost, or has missed some."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ValidationError
from sqlalchemy import Connection, select, update

from jupyter_mlinfn.database.engine import Database
from jupyter_mlinfn.jobs import observing
from jupyter_mlinfn.jobs.backends.protocol import Claim, Observation
from jupyter_mlinfn.jobs.claims import give_back, write_claim
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.rows import change, columns_of, next_revision
from jupyter_mlinfn.jobs.tables import claimed_accelerators, counters, deleted, jobs
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import JobRequest, JobSpec, JobState, Reason, Usage

INDEXED: Final = "indexed"


class End(BaseModel):
    """``end.json``, the supervisor's word on how an attempt ended."""

    state: JobState
    reason: Reason | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    exit_code: int | None = None
    usage: Usage | None = None
    output: str | None = None


class ClaimFile(BaseModel):
    """``claim.json``, the dispatcher's word on the slot of an attempt."""

    cpus: int
    memory: int
    accelerators: tuple[str, ...] = ()
    slots: str


@dataclass(frozen=True)
class Story:
    """What one job folder tells."""

    spec: JobSpec
    request: JobRequest
    attempt: int
    returned: bool
    end: End | None
    claim: ClaimFile | None
    cancelling: bool


def index_once(database: Database, folders: JobFolders) -> int:
    """Read all folders into an index that never was filled; how many jobs were added."""
    with database.read() as connection:
        if _filled(connection):
            return 0
    stories = read_stories(folders, folders.all())
    with database.write() as connection:
        if _filled(connection):
            return 0
        connection.execute(update(counters).where(counters.c.name == INDEXED).values(value=1))
        return add_missing(connection, stories)


def read_stories(folders: JobFolders, ids: Iterable[str]) -> list[Story]:
    """The stories of the committed folders among ``ids``, oldest first; damaged ones left out."""
    stories = [_story(folders, job) for job in ids if folders.committed(job)]
    told = [story for story in stories if story is not None]
    return sorted(told, key=lambda story: story.spec.submitted_at)


def add_missing(connection: Connection, stories: Iterable[Story]) -> int:
    """Add the jobs that have no row and were not just deleted; how many."""
    known = set(connection.execute(select(jobs.c.id)).scalars())
    known |= set(connection.execute(select(deleted.c.id)).scalars())
    missing = [story for story in stories if story.spec.id not in known]
    for story in missing:
        _add(connection, story)
    return len(missing)


def _filled(connection: Connection) -> bool:
    query = select(counters.c.value).where(counters.c.name == INDEXED)
    return connection.execute(query).scalar() == 1


def _story(folders: JobFolders, job: str) -> Story | None:
    try:
        spec, request = folders.read_spec(job), folders.read_request(job)
    except NotFound:
        # the folder stays for a person to look at; the rest of the list must not suffer
        return None
    numbers = folders.attempts(job)
    last = folders.attempt(job, numbers[-1]) if numbers else None
    return Story(
        spec=spec,
        request=request,
        attempt=numbers[-1] if numbers else 0,
        returned=last is not None and (last / "returned.json").exists(),
        end=None if last is None else _read(last / "end.json", End),
        claim=None if last is None else _read(last / "claim.json", ClaimFile),
        cancelling=folders.cancel_requested(job),
    )


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        return kind.model_validate(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError):
        return None


def _add(connection: Connection, story: Story) -> None:
    spec = story.spec
    values = columns_of(spec, story.request)
    revision = next_revision(connection)
    connection.execute(jobs.insert().values(revision=revision, **values))
    if story.attempt:
        observing.apply(connection, spec.id, _observation(story))
    if story.end is None and story.cancelling:
        change(connection, spec.id, cancelling=True)
    if story.end is None and story.claim is not None:
        if story.returned:
            give_back(connection, spec.id, story.attempt, None)
        else:
            _add_claim(connection, story, story.claim)


def _observation(story: Story) -> Observation:
    # an attempt without an end counts as started, so that it cannot be started beside itself;
    # its back-end knows what has become of it
    if story.end is None:
        return Observation(state="starting", attempt=story.attempt)
    return Observation(attempt=story.attempt, **story.end.model_dump())


def _add_claim(connection: Connection, story: Story, given: ClaimFile) -> None:
    held = set(
        connection.execute(
            select(claimed_accelerators.c.uuid).where(claimed_accelerators.c.machine == given.slots)
        ).scalars()
    )
    claim = Claim(
        job=story.spec.id,
        attempt=story.attempt,
        token=story.spec.token,
        cpus=given.cpus,
        memory=given.memory,
        accelerators=tuple(uuid for uuid in given.accelerators if uuid not in held),
    )
    write_claim(connection, given.slots, claim)
