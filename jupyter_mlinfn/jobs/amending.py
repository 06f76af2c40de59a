"""What a job asks for after it was changed: ``amendments.json`` beside the immutable ``job.json``.

The spec stays what was asked at first; the newest amendment is what is asked now. Attempts read the
same file (:meth:`~jupyter_mlinfn.jobs.attempt.AttemptFolder.spec`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from jupyter_mlinfn.jobs.attempt import AMENDMENTS
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import JobRequest, JobSpec, Resources
from jupyter_mlinfn.model.releasing import Amendment, Asking
from jupyter_mlinfn.process.durable import write_durably

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.folders import JobFolders
    from jupyter_mlinfn.jobs.store import JobStore

_LIST = TypeAdapter(tuple[Amendment, ...])


def read(job_folder: Path) -> tuple[Amendment, ...]:
    """The changes, the oldest first. Raises :class:`NotFound` where they cannot be read."""
    try:
        return _LIST.validate_json((job_folder / AMENDMENTS).read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        raise NotFound(
            f"The folder of job {job_folder.name} is damaged: {AMENDMENTS} cannot be read. "
            "Delete the job, or restore the folder from a backup.",
            code="bundle-damaged",
        ) from error


def asking(resources: Resources, disk: int | None = None) -> Asking:
    """The part of ``resources`` that can be changed."""
    return Asking(cpus=resources.cpus, memory=resources.memory, time=resources.time, disk=disk)


def asked(spec: JobSpec, job_folder: Path) -> Asking:
    """What the job asks for now."""
    found = read(job_folder)
    return found[-1].now if found else asking(spec.resources)


def changed(resources: Resources, now: Asking) -> Resources:
    """``resources`` with what is asked for now."""
    return resources.model_copy(
        update={"cpus": now.cpus, "memory": now.memory, "time": now.time},
    )


def amended(spec: JobSpec, job_folder: Path) -> JobSpec:
    """The spec with what the job asks for now in place of what it asked for at first."""
    found = read(job_folder)
    if not found:
        return spec
    return spec.model_copy(update={"resources": changed(spec.resources, found[-1].now)})


def request_now(folders: JobFolders, job: str) -> JobRequest:
    """What the person asked for, with what was changed since: the base of another run."""
    request, found = folders.read_request(job), read(folders.job(job))
    if not found:
        return request
    return request.model_copy(update={"resources": changed(request.resources, found[-1].now)})


def write(
    store: JobStore, job_folder: Path, amendments: Sequence[Amendment], resources: Resources
) -> None:
    """Make these the changes of a job, in its folder and in its row, both or neither as far as a
    killed process allows: the folder counts. Raises OSError."""
    from jupyter_mlinfn.jobs.rows import change  # the database is loaded where it is written

    with store.index.write() as connection:
        told = {name: getattr(resources, name) for name in ("cpus", "memory", "time")}
        change(connection, job_folder.name, **told)
        write_durably(job_folder / AMENDMENTS, _LIST.dump_json(tuple(amendments), indent=1))
