"""Jobs by HTTP: read the call, ask the capability, show paths as the client knows them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.missing import no_job
from jupyter_mlinfn.model.errors import Conflict, InputError
from jupyter_mlinfn.model.joblists import FoundJobs
from jupyter_mlinfn.model.jobs import (
    ENDED,
    JOB_ID,
    CleanupPlan,
    DebugKernel,
    Draft,
    JobDetails,
    JobRecord,
    JobRequest,
    LogChunk,
)
from jupyter_mlinfn.model.offer import SubmitForm
from jupyter_mlinfn.model.quantities import show_memory
from jupyter_mlinfn.server.showing import shown, shown_details, shown_page

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call
    from jupyter_mlinfn.server.paths import Root

PATIENCE = 0.5
"""Seconds an answer waits for what the back-ends say; later news come by the live socket."""
MAX_NOTEBOOK = 64 * 2**20
"""Bytes of a notebook the page is given; larger ones are opened as files."""


def list_jobs(call: Call) -> FoundJobs:
    """``GET jobs``."""
    call.room.refresh(PATIENCE)
    query = call.query
    page = call.workbench.store.found(query, query.limit, query.cursor, query.order, query.skip)
    return shown_page(page, call.root)


def submit(call: Call) -> JobRecord:
    """``POST jobs``."""
    request = _located(call.body, call.root)
    return shown(call.workbench.submission.submit(request, key=call.key), call.root)


def draft(call: Call) -> Draft:
    """``POST jobs/draft``."""
    answer = call.workbench.submission.draft(_located(call.body, call.root))
    folder = answer.output_folder
    return answer.model_copy(update={"output_folder": folder and call.root.show(folder)})


def form(call: Call) -> SubmitForm:
    """``GET jobs/form``."""
    answer = call.workbench.submission.form(call.root.file(call.query.source, "source"))
    source = call.root.show(answer.source)
    defaults = answer.defaults.model_copy(update={"source": source})
    return answer.model_copy(update={"source": source, "defaults": defaults})


def details(call: Call) -> JobDetails:
    """``GET jobs/{id}``."""
    call.room.refresh(PATIENCE)
    return shown_details(call.workbench.actions.details(job_id(call)), call.root)


def delete(call: Call) -> None:
    """``DELETE jobs/{id}``."""
    call.workbench.actions.delete(job_id(call))


def cancel(call: Call) -> JobRecord:
    """``POST jobs/{id}/cancel``."""
    return shown(call.workbench.actions.cancel(job_id(call)), call.root)


def release(call: Call) -> JobRecord:
    """``POST jobs/{id}/release``."""
    return shown(call.workbench.actions.release(job_id(call), call.body), call.root)


def rerun(call: Call) -> JobRecord:
    """``POST jobs/{id}/rerun``."""
    job = call.workbench.submission.rerun(job_id(call), call.body, key=call.key)
    return shown(job, call.root)


def cleanup(call: Call) -> CleanupPlan:
    """``POST jobs/cleanup``."""
    plan = call.workbench.actions.cleanup(call.body)
    items = tuple(
        item.model_copy(
            update={"output_folder": item.output_folder and call.root.show(item.output_folder)}
        )
        for item in plan.items
    )
    return plan.model_copy(update={"items": items})


def log(call: Call) -> LogChunk:
    """``GET jobs/{id}/log``."""
    query = call.query
    return call.workbench.follower.read_log(job_id(call), start=query.start, limit=query.limit)


def notebook(call: Call) -> bytes:
    """``GET jobs/{id}/notebook``: the file's JSON as it stands, never HTML."""
    job = call.workbench.store.get(job_id(call))
    path = call.workbench.follower.notebook(job.id)
    return notebook_text(path, final=job.state in ENDED, kept=call.root.show(job.output_folder))


def notebook_text(path: Path, *, final: bool, kept: str) -> bytes:
    """A notebook as :class:`~jupyter_mlinfn.server.answers.JobNotebook` has it.

    The text is passed on unparsed, because parsing 60 MB here would hold up every other answer.
    Raises :class:`Conflict` (``too-large``) above :data:`MAX_NOTEBOOK`, naming the folder ``kept``.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size > MAX_NOTEBOOK:
            raise Conflict(
                f"This notebook has {show_memory(status.st_size)}; up to "
                f"{show_memory(MAX_NOTEBOOK)} are shown here. It is kept: open it from "
                f"'{kept}' when the job has ended.",
                code="too-large",
            )
        content = file.read()
    modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat()
    done = b"true" if final else b"false"
    return b'{"content":%b,"final":%b,"modified":"%b"}' % (content, done, modified.encode())


def debug_kernel(call: Call) -> DebugKernel:
    """``POST jobs/{id}/kernel``."""
    answer = call.workbench.actions.debug_kernel(job_id(call))
    return answer.model_copy(update={"folder": call.root.show(answer.folder)})


def job_id(call: Call) -> str:
    """The whole id of the path; by HTTP no prefix is taken for a job."""
    text = call.values["id"]
    if not JOB_ID.fullmatch(text):
        raise no_job(text, code="no-such-job", field="id")
    return text


def _located(request: JobRequest, root: Root) -> JobRequest:
    """The request with real paths: source and inputs inside the root, outputs inside the folder."""
    source = root.file(request.source, "source")
    inputs = []
    for number, path in enumerate(request.inputs):
        inputs.append(str(root.resolve(str(source.parent / path), f"inputs.{number}")))
    for number, pattern in enumerate(request.outputs):
        if pattern.startswith("/") or ".." in PurePosixPath(pattern).parts:
            raise InputError(
                "An output pattern names files inside the job's folder.",
                code="outside-folder",
                field=f"outputs.{number}",
            )
    sweep = request.sweep
    if sweep is not None and sweep.file is not None:
        table = root.resolve(str(source.parent / sweep.file), "sweep.file")
        sweep = sweep.model_copy(update={"file": str(table)})
    located = {"source": str(source), "inputs": tuple(inputs), "sweep": sweep}
    return request.model_copy(update=located)
