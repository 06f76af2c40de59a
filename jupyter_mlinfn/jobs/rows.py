"""From specs to rows and from rows to records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, or_, select, update

from jupyter_mlinfn.jobs.tables import attempts, counters, jobs
from jupyter_mlinfn.model.jobs import (
    Attempt,
    EnvironmentName,
    JobRecord,
    JobRequest,
    JobSpec,
    Progress,
    Reason,
    Resources,
    Usage,
)
from jupyter_mlinfn.model.sweeps import SweepCounts
from jupyter_mlinfn.model.wishes import Wishes

SEARCHED: Final = 4000
"""So many characters of a job are searched: enough for any name, path and usual parameters."""

_SHOWN: Final = [
    column for column in jobs.c if column.name not in ("request", "search", "key", "held", "owes")
]


# statements are made once: to build one costs more than to run it
_JOBS: Final = select(*_SHOWN)
_JOB: Final = _JOBS.where(jobs.c.id == bindparam("wanted"))
_SAME: Final = _JOBS.where(
    # without a key none is the same: NULL equals nothing
    or_(jobs.c.token == bindparam("its_token"), jobs.c.key == bindparam("its_key"))
).limit(1)
_NEW: Final = jobs.insert().returning(*_SHOWN)
_CHANGED: Final = update(jobs).where(jobs.c.id == bindparam("wanted"))
_COUNTED: Final = (
    update(counters)
    .where(counters.c.name == "revision")
    .values(value=counters.c.value + 1)
    .returning(counters.c.value)
)


def select_jobs() -> Select[Any]:
    """All columns a record needs, and not the large ones."""
    return _JOBS


def row_of(connection: Connection, job: str) -> Row[Any] | None:
    """The job's row, or ``None``."""
    return connection.execute(_JOB, {"wanted": job}).one_or_none()


def same_row(connection: Connection, token: str, key: str | None) -> Row[Any] | None:
    """The row of the job with this token or this key, or ``None``."""
    return connection.execute(_SAME, {"its_token": token, "its_key": key}).one_or_none()


def add_row(connection: Connection, values: Mapping[str, Any]) -> Row[Any]:
    """Make the row of a new job; the row as it is then. Raises :class:`IntegrityError`."""
    return connection.execute(_NEW, dict(values)).one()


def columns_of(spec: JobSpec, request: JobRequest) -> dict[str, Any]:
    """The row of a new job."""
    return {
        "id": spec.id,
        "token": spec.token,
        "name": spec.name,
        "kind": spec.kind,
        "source": spec.source,
        "backend": spec.backend,
        "queue": spec.queue,
        "charge": spec.charge,
        "parameters": spec.parameters,
        "environment_name": spec.environment.name,
        "environment_digest": spec.environment.digest,
        **spec.resources.model_dump(),
        "evictable": spec.evictable,
        "try_first": spec.try_first,
        "rerun_of": spec.rerun_of,
        "output_folder": spec.output_folder,
        # a cell's text and a sweep may be large, and lie in the folder
        "request": request.model_dump(mode="json", exclude={"cell", "sweep", "notify"}),
        "search": searched(spec),
        "state": "queued",
        "cancelling": False,
        "attempts": 0,
        "submitted_at": spec.submitted_at,
        "wishes": _wishes(spec),
        "held": bool(spec.after or spec.after_ok),
        "owes": bool(spec.secrets or set(spec.notify) - {"lab"}),
    }


def searched(spec: JobSpec) -> str:
    """What a search looks through, without regard to case."""
    parameters = json.dumps(spec.parameters, ensure_ascii=False)
    return "\n".join((spec.id, spec.name, spec.source, parameters)).casefold()[:SEARCHED]


def wishes_of(row: Row[Any]) -> Wishes:
    """What is asked of a job beside its run."""
    return Wishes.model_validate(row.wishes or {})


def _wishes(spec: JobSpec) -> dict[str, Any] | None:
    asked = {name: getattr(spec, name) for name in Wishes.model_fields}
    return Wishes(**asked).model_dump(mode="json", exclude_defaults=True) or None


def record_of(row: Row[Any]) -> JobRecord:
    """What is shown of a job."""
    return JobRecord(
        id=row.id,
        name=row.name,
        kind=row.kind,
        state=row.state,
        reason=Reason.model_validate(row.reason) if row.reason else None,
        unknown_since=row.unknown_since,
        cancelling=row.cancelling,
        backend=row.backend,
        backend_id=row.backend_id,
        queue=row.queue,
        charge=row.charge,
        parameters=row.parameters,
        environment=EnvironmentName(name=row.environment_name, digest=row.environment_digest),
        resources=Resources(**{name: getattr(row, name) for name in Resources.model_fields}),
        source=row.source,
        output=row.output,
        output_folder=row.output_folder,
        attempts=row.attempts,
        evictions=row.evictions,
        checkpoint_at=row.checkpoint_at,
        try_first=row.try_first,
        evictable=row.evictable,
        rerun_of=row.rerun_of,
        progress=Progress.model_validate(row.progress) if row.progress else None,
        sweep=counts_of(row),
        submitted_at=row.submitted_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        usage=Usage.model_validate(row.usage) if row.usage else Usage(),
        **(row.wishes or {}),
    )


def counts_of(row: Row[Any]) -> SweepCounts | None:
    """How many points of a sweep are in which state; ``None``: the job is no sweep."""
    if row.sweep is None:
        return None
    return SweepCounts(**{name: row.sweep[name] for name in SweepCounts.model_fields})


def attempt_of(row: Row[Any]) -> Attempt:
    """One start of a job."""
    return Attempt(
        number=row.number,
        state=row.state,
        reason=Reason.model_validate(row.reason) if row.reason else None,
        host=row.host,
        accelerators=tuple(row.accelerators),
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_code=row.exit_code,
        usage=Usage.model_validate(row.usage) if row.usage else Usage(),
        lost_seconds=row.lost_seconds,
    )


def columns_of_attempt(attempt: Attempt) -> dict[str, Any]:
    """The row of one start, without its keys."""
    return {
        "state": attempt.state,
        "reason": document(attempt.reason),
        "host": attempt.host,
        "accelerators": list(attempt.accelerators),
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "exit_code": attempt.exit_code,
        "usage": document(attempt.usage),
        "lost_seconds": attempt.lost_seconds,
    }


def document(value: Reason | Usage | Progress | None) -> Any:
    """A model as the JSON document of a column."""
    return None if value is None else value.model_dump(mode="json", exclude_none=True)


def change(connection: Connection, job: str, **values: Any) -> None:
    """Change a job's row and let followers know."""
    values["revision"] = next_revision(connection)
    connection.execute(_CHANGED, {"wanted": job, **values})


def next_revision(connection: Connection) -> int:
    """Count one more change of the index."""
    return int(connection.execute(_COUNTED).scalar_one())


def write_attempt(connection: Connection, job: str, number: int, **values: Any) -> None:
    """Create or change the row of one attempt."""
    here = (attempts.c.job == job, attempts.c.number == number)
    if connection.execute(update(attempts).where(*here).values(**values)).rowcount:
        return
    connection.execute(
        attempts.insert().values(job=job, number=number, **{"accelerators": [], **values})
    )
