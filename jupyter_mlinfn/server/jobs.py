"""Jobs by HTTP: read the call, ask the capability, show paths as the client knows them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound
from jupyter_mlinfn.model.jobs import (
    ENDED,
    JOB_ID,
    CleanupPlan,
    DebugKernel,
    Draft,
    JobDetails,
    JobPage,
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


def list_jobs(call: Call) -> JobPage:
    """``GET jobs``."""
    call.room.refresh(PATIENCE)
    query = call.query
    page = call.workbench.store.page(
        states=query.state, search=query.search, limit=query.limit, cursor=query.cursor
    )
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
    return shown_details(call.workbench.actions.details(_id(call)), call.root)


def delete(call: Call) -> None:
    """``DELETE jobs/{id}``."""
    call.workbench.actions.delete(_id(call))


def cancel(call: Call) -> JobRecord:
    """``POST jobs/{id}/cancel``."""
    return shown(call.workbench.actions.cancel(_id(call)), call.root)


def rerun(call: Call) -> JobRecord:
    """``POST jobs/{id}/rerun``."""
    job = call.workbench.submission.rerun(_id(call), call.body, key=call.key)
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
    return call.workbench.follower.read_log(_id(call), start=query.start, limit=query.limit)


def notebook(call: Call) -> bytes:
    """``GET jobs/{id}/notebook``: the file's JSON as it stands, never HTML.

    The text is passed on unparsed, because parsing 60 MB here would hold up every other answer.
    Raises :class:`Conflict` (``too-large``) above :data:`MAX_NOTEBOOK`.
    """
    job = call.workbench.store.get(_id(call))
    path = call.workbench.follower.notebook(job.id)
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size > MAX_NOTEBOOK:
            raise Conflict(
                f"This notebook has {show_memory(status.st_size)}; up to "
                f"{show_memory(MAX_NOTEBOOK)} are shown here. It is kept: open it from "
                f"'{call.root.show(job.output_folder)}' when the job has ended.",
                code="too-large",
            )
        content = file.read()
    modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat()
    final = b"true" if job.state in ENDED else b"false"
    return b'{"content":%b,"final":%b,"modified":"%b"}' % (content, final, modified.encode())


def debug_kernel(call: Call) -> DebugKernel:
    """``POST jobs/{id}/kernel``."""
    answer = call.workbench.actions.debug_kernel(_id(call))
    return answer.model_copy(update={"folder": call.root.show(answer.folder)})


def _id(call: Call) -> str:
    """The whole id of the path; by HTTP no prefix is taken for a job."""
    text = call.values["id"]
    if not JOB_ID.fullmatch(text):
        raise NotFound("There is no such job.", code="no-such-job", field="id")
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
    return request.model_copy(update={"source": str(source), "inputs": tuple(inputs)})
