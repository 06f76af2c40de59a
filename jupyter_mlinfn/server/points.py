"""The points of a sweep by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.sweeps.sheet import csv_of
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, LogChunk
from jupyter_mlinfn.model.sweeps import MAX_POINTS, Point, PointFilter, PointPage
from jupyter_mlinfn.server.jobs import PATIENCE, job_id, notebook_text
from jupyter_mlinfn.server.showing import shown

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call
    from jupyter_mlinfn.server.paths import Root


def list_points(call: Call) -> PointPage:
    """``GET jobs/{id}/points``."""
    call.room.refresh(PATIENCE)
    query = call.query
    wanted = PointFilter(state=query.state, search=query.search, sort=query.sort, order=query.order)
    page = call.workbench.store.points.page(job_id(call), wanted, query.limit, query.cursor)
    return page.model_copy(update={"points": tuple(_shown(one, call.root) for one in page.points)})


def csv(call: Call) -> bytes:
    """``GET jobs/{id}/points.csv``."""
    points = call.workbench.store.points
    columns = points.page(job_id(call), limit=1).columns
    told = (_shown(one, call.root) for one in points.all(job_id(call)))
    return csv_of(told, columns).encode("utf-8", "replace")


def log(call: Call) -> LogChunk:
    """``GET jobs/{id}/points/{point}/log``."""
    query, number = call.query, point_number(call)
    return call.workbench.follower.read_log(
        job_id(call), start=query.start, limit=query.limit, point=number
    )


def notebook(call: Call) -> bytes:
    """``GET jobs/{id}/points/{point}/notebook``."""
    job, number = call.workbench.store.get(job_id(call)), point_number(call)
    path = call.workbench.follower.notebook(job.id, number)
    ended = call.workbench.store.points.get(job.id, number).state in ENDED
    return notebook_text(path, final=ended, kept=call.root.show(job.output_folder))


def cancel(call: Call) -> JobRecord:
    """``POST jobs/{id}/points/{point}/cancel``."""
    record = call.workbench.actions.cancel_points(job_id(call), [point_number(call)])
    return shown(record, call.root)


def _shown(point: Point, root: Root) -> Point:
    return point.model_copy(update={"output": point.output and root.show(point.output)})


def point_number(call: Call) -> int:
    """The point that the address names. Raises :class:`NotFound`."""
    text = call.values["point"]
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and int(text) < MAX_POINTS):
        raise NotFound("There is no such point.", code="point-not-found", field="point")
    return int(text)
