"""From specs to rows and from rows to records."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select, update

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

SEARCHED: Final = 4000
"""So many characters of a job are searched: enough for any name, path and usual parameters."""

_SHOWN: Final = [column for column in jobs.c if column.name not in ("request", "search", "key")]


def select_jobs() -> Select[Any]:
    """All columns a record needs, and not the large ones."""
    return select(*_SHOWN)


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
        "parameters": spec.parameters,
        "environment_name": spec.environment.name,
        "environment_digest": spec.environment.digest,
        **spec.resources.model_dump(),
        "evictable": spec.evictable,
        "try_first": spec.try_first,
        "rerun_of": spec.rerun_of,
        "output_folder": spec.output_folder,
        # the cell's text may be large and lies in the bundle
        "request": request.model_dump(mode="json", exclude={"cell"}),
        "search": searched(spec),
        "state": "queued",
        "cancelling": False,
        "attempts": 0,
        "submitted_at": spec.submitted_at,
    }


def searched(spec: JobSpec) -> str:
    """What a search looks through, without regard to case."""
    parameters = json.dumps(spec.parameters, ensure_ascii=False)
    return "\n".join((spec.id, spec.name, spec.source, parameters)).casefold()[:SEARCHED]


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
        parameters=row.parameters,
        environment=EnvironmentName(name=row.environment_name, digest=row.environment_digest),
        resources=Resources(cpus=row.cpus, memory=row.memory, gpus=row.gpus, time=row.time),
        source=row.source,
        output=row.output,
        output_folder=row.output_folder,
        attempts=row.attempts,
        try_first=row.try_first,
        evictable=row.evictable,
        rerun_of=row.rerun_of,
        progress=Progress.model_validate(row.progress) if row.progress else None,
        submitted_at=row.submitted_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        usage=Usage.model_validate(row.usage) if row.usage else Usage(),
    )


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
    )


def document(value: Reason | Usage | Progress | None) -> Any:
    """A model as the JSON document of a column."""
    return None if value is None else value.model_dump(mode="json", exclude_none=True)


def change(connection: Connection, job: str, **values: Any) -> None:
    """Change a job's row and let followers know."""
    values["revision"] = next_revision(connection)
    connection.execute(update(jobs).where(jobs.c.id == job).values(**values))


def next_revision(connection: Connection) -> int:
    """Count one more change of the index."""
    counted = (
        update(counters)
        .where(counters.c.name == "revision")
        .values(value=counters.c.value + 1)
        .returning(counters.c.value)
    )
    return int(connection.execute(counted).scalar_one())


def write_attempt(connection: Connection, job: str, number: int, **values: Any) -> None:
    """Create or change the row of one attempt."""
    here = (attempts.c.job == job, attempts.c.number == number)
    if connection.execute(update(attempts).where(*here).values(**values)).rowcount:
        return
    connection.execute(
        attempts.insert().values(job=job, number=number, **{"accelerators": [], **values})
    )
