"""Reads the job folders into an index that is new, was lost, or has missed some."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, JsonValue, ValidationError
from sqlalchemy import Connection, select, update

from jupyter_mlinfn.database.engine import Database
from jupyter_mlinfn.jobs import amending, checkpoints, keys, observing
from jupyter_mlinfn.jobs.attempt import POINTS, AttemptFolder
from jupyter_mlinfn.jobs.backends.protocol import Claim, Observation
from jupyter_mlinfn.jobs.claims import give_back, write_claim
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.history import earlier
from jupyter_mlinfn.jobs.rows import (
    add_row,
    change,
    columns_of,
    columns_of_attempt,
    next_revision,
    write_attempt,
)
from jupyter_mlinfn.jobs.sweeps import pointfile
from jupyter_mlinfn.jobs.sweeps.recorded import recorded_values
from jupyter_mlinfn.jobs.sweeps.rows import add_points, change_point, sweep_columns
from jupyter_mlinfn.jobs.tables import claimed_accelerators, counters, deleted, jobs
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import Attempt, JobRequest, JobSpec, JobState, Reason, Usage

INDEXED: Final = "indexed"
_POINT: Final = re.compile(r"[0-9]{1,6}", re.ASCII)


class End(BaseModel):
    """``end.json``, the supervisor's word on how an attempt ended."""

    state: JobState
    reason: Reason | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    exit_code: int | None = None
    usage: Usage | None = None
    output: str | None = None
    evictions: int | None = None
    checkpoint_at: AwareDatetime | None = None
    lost_seconds: float | None = None


class ClaimFile(BaseModel):
    """``claim.json``, the dispatcher's word on the slot of an attempt."""

    cpus: int
    memory: int
    accelerators: tuple[str, ...] = ()
    slots: str


@dataclass(frozen=True)
class PointStory:
    """What the folder of one point tells; ``attempt`` 0: it never started."""

    number: int
    attempt: int
    returned: bool
    end: End | None
    claim: ClaimFile | None
    cancelling: bool
    values: dict[str, JsonValue]


@dataclass(frozen=True)
class Story:
    """What one job folder tells. ``rows`` are the parameters of a sweep's points, ``points``
    those that have a folder.
    """

    spec: JobSpec
    request: JobRequest
    key: str | None
    attempt: int
    returned: bool
    end: End | None
    claim: ClaimFile | None
    cancelling: bool
    earlier: tuple[Attempt, ...] = ()
    living: dict[str, Any] = field(default_factory=dict)
    rows: tuple[dict[str, JsonValue], ...] = ()
    points: tuple[PointStory, ...] = ()


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
        spec = amending.amended(spec, folders.job(job))
    except NotFound:
        # the folder stays for a person to look at; the rest of the list must not suffer
        return None
    numbers = folders.attempts(job)
    last = folders.attempt(job, numbers[-1]) if numbers else None
    return Story(
        spec=spec,
        request=request,
        key=keys.read(folders.job(job)),
        attempt=numbers[-1] if numbers else 0,
        returned=last is not None and (last / "returned.json").exists(),
        end=None if last is None else _read(last / "end.json", End),
        claim=None if last is None else _read(last / "claim.json", ClaimFile),
        cancelling=folders.cancel_requested(job),
        earlier=earlier(folders.job(job)),
        living={} if last is None else checkpoints.told(AttemptFolder(last)),
        rows=_rows(folders, spec),
        points=tuple(_points(folders, spec)),
    )


def _rows(folders: JobFolders, spec: JobSpec) -> tuple[dict[str, JsonValue], ...]:
    """The parameters of a sweep's points; empty ones where they cannot be read any more."""
    if not spec.points:
        return ()
    try:
        return tuple(pointfile.read(folders.job(spec.id), spec.points_sha256))
    except (OSError, ValueError):
        return ({},) * spec.points


def _points(folders: JobFolders, spec: JobSpec) -> Iterator[PointStory]:
    home = folders.job(spec.id) / POINTS
    if not spec.points or not home.is_dir():
        return
    for entry in home.iterdir():
        number = int(entry.name) if _POINT.fullmatch(entry.name) else spec.points
        if number >= spec.points:
            continue
        numbers = folders.attempts(spec.id, number)
        last = folders.attempt(spec.id, numbers[-1], number) if numbers else None
        yield PointStory(
            number=number,
            attempt=numbers[-1] if numbers else 0,
            returned=last is not None and (last / "returned.json").exists(),
            end=None if last is None else _read(last / "end.json", End),
            claim=None if last is None else _read(last / "claim.json", ClaimFile),
            cancelling=(entry / "cancel").exists(),
            values={} if last is None else recorded_values(last),
        )


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        return kind.model_validate(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError):
        return None


def _add(connection: Connection, story: Story) -> None:
    spec = story.spec
    values = columns_of(spec, story.request) | sweep_columns(spec, story.rows)
    revision = next_revision(connection)
    key = None if _is_taken(connection, story.key) else story.key
    add_row(connection, {"key": key, "revision": revision, **values})
    if spec.points:
        _add_sweep(connection, story)
        return
    for attempt in story.earlier:
        write_attempt(connection, spec.id, attempt.number, **columns_of_attempt(attempt))
    if story.attempt:
        observing.apply(connection, spec.id, _observation(story))
    if story.end is None and story.cancelling:
        change(connection, spec.id, cancelling=True)
    if story.end is None and story.claim is not None:
        if story.returned:
            give_back(connection, spec.id, story.attempt, None)
        else:
            _add_claim(connection, story, story.attempt, story.claim)


def _is_taken(connection: Connection, key: str | None) -> bool:
    """Whether another job has this key: its own file of it can be lost, and made again."""
    return connection.execute(select(jobs.c.id).where(jobs.c.key == key)).first() is not None


def _add_sweep(connection: Connection, story: Story) -> None:
    spec = story.spec
    add_points(connection, spec, story.rows)
    if story.cancelling:
        change(connection, spec.id, cancelling=True)
    for point in story.points:
        waits = point.end is None and (point.returned or not point.attempt)
        told: dict[str, Any] = {"cancelling": point.cancelling and point.end is None}
        if waits:
            told["attempts"] = point.attempt
        change_point(connection, spec.id, point.number, **told)
        if point.end is None and not waits and point.claim is not None:
            _add_claim(connection, story, point.attempt, point.claim, point.number)
    seen = {
        point.number: _observation(point).model_copy(update={"values": point.values})
        for point in story.points
        if point.end is not None or (point.attempt and not point.returned)
    }
    observing.apply(connection, spec.id, Observation(state="queued", points=seen))


def _observation(story: Story | PointStory) -> Observation:
    # an attempt without an end counts as started, so that it cannot be started beside itself;
    # its back-end knows what has become of it
    if story.end is None:
        living = story.living if isinstance(story, Story) else {}
        return Observation(state="starting", attempt=story.attempt, **living)
    return Observation(attempt=story.attempt, **story.end.model_dump())


def _add_claim(
    connection: Connection, story: Story, attempt: int, given: ClaimFile, point: int | None = None
) -> None:
    held = set(
        connection.execute(
            select(claimed_accelerators.c.uuid).where(claimed_accelerators.c.machine == given.slots)
        ).scalars()
    )
    claim = Claim(
        job=story.spec.id,
        attempt=attempt,
        token=story.spec.token,
        point=point,
        cpus=given.cpus,
        memory=given.memory,
        accelerators=tuple(uuid for uuid in given.accelerators if uuid not in held),
    )
    write_claim(connection, given.slots, claim)
