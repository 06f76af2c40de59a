"""Shared jobs by HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.exactness.comparing import compare
from jupyter_mlinfn.jobs.exactness.facts import FactsReader
from jupyter_mlinfn.jobs.missing import no_job
from jupyter_mlinfn.jobs.sweeps.sheet import csv_of
from jupyter_mlinfn.model.exactness import JobDiff
from jupyter_mlinfn.model.jobs import JOB_ID, JobRecord, LogChunk
from jupyter_mlinfn.model.sharing import SharedDetails, SharedJob, SharedJobs
from jupyter_mlinfn.model.sweeps import PointFilter, PointPage
from jupyter_mlinfn.server.diff import shown_diff
from jupyter_mlinfn.server.jobs import job_id, notebook_text
from jupyter_mlinfn.server.points import point_number
from jupyter_mlinfn.server.showing import shown

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call
    from jupyter_mlinfn.server.paths import Root


def share(call: Call) -> SharedJob:
    """``POST jobs/{id}/share``."""
    found = call.workbench.sharing.share(job_id(call), call.body.area)
    return _shown(found, call.root)


def unshare(call: Call) -> None:
    """``POST jobs/{id}/unshare``."""
    call.workbench.sharing.unshare(job_id(call), call.body.area)


def list_shared(call: Call) -> SharedJobs:
    """``GET shared-jobs``."""
    found = call.workbench.sharing.listed()
    return found.model_copy(update={"jobs": tuple(_shown(one, call.root) for one in found.jobs)})


def details(call: Call) -> SharedDetails:
    """``GET shared-jobs/{area}/{id}``."""
    found = call.workbench.sharing.details(_named(call))
    return found.model_copy(update={"shared": _shown(found.shared, call.root)})


def log(call: Call) -> LogChunk:
    """``GET shared-jobs/{area}/{id}/log``."""
    return call.workbench.sharing.look(_named(call)).log(call.query.start, call.query.limit)


def list_points(call: Call) -> PointPage:
    """``GET shared-jobs/{area}/{id}/points``."""
    query = call.query
    wanted = PointFilter(state=query.state, search=query.search, sort=query.sort, order=query.order)
    points = call.workbench.sharing.look(_named(call)).points
    return points.page(wanted, query.limit, query.cursor)


def csv(call: Call) -> bytes:
    """``GET shared-jobs/{area}/{id}/points.csv``."""
    points = call.workbench.sharing.look(_named(call)).points
    return csv_of(points.points, points.columns).encode("utf-8", "replace")


def point_log(call: Call) -> LogChunk:
    """``GET shared-jobs/{area}/{id}/points/{point}/log``."""
    look = call.workbench.sharing.look(_named(call))
    return look.log(call.query.start, call.query.limit, point_number(call))


def notebook(call: Call) -> bytes:
    """``GET shared-jobs/{area}/{id}/notebook``."""
    look = call.workbench.sharing.look(_named(call))
    return notebook_text(look.notebook(), final=True, kept=call.root.show(str(look.found.path)))


def diff(call: Call) -> JobDiff:
    """``GET shared-jobs/{area}/{id}/diff/{mine}``."""
    mine = call.values["mine"]
    if not JOB_ID.fullmatch(mine):
        raise no_job(mine, code="no-such-job", field="mine")
    bench = call.workbench
    own = FactsReader(bench.store, bench.folders).read(mine)
    return shown_diff(compare(bench.sharing.look(_named(call)).facts(), own), call.root)


def rerun(call: Call) -> JobRecord:
    """``POST shared-jobs/{area}/{id}/rerun``."""
    changes, root = call.body, Path(call.root.real)
    if changes.into is not None:
        into = str(call.root.resolve(changes.into, "into"))
        changes = changes.model_copy(update={"into": into})
    job = call.workbench.sharing.rerun(_named(call), changes, root, key=call.key)
    return shown(job, call.root)


def _named(call: Call) -> str:
    area = call.values["area"]
    return f"{area}/{job_id(call)}"


def _shown(one: SharedJob, root: Root) -> SharedJob:
    return one.model_copy(update={"path": root.show(one.path)})
