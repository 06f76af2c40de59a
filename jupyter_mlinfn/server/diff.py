"""Comparing two jobs by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.exactness.comparing import compare
from jupyter_mlinfn.jobs.exactness.facts import FactsReader
from jupyter_mlinfn.jobs.missing import no_job
from jupyter_mlinfn.model.exactness import DiffItem, JobDiff
from jupyter_mlinfn.model.jobs import JOB_ID

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call
    from jupyter_mlinfn.server.paths import Root


def diff(call: Call) -> JobDiff:
    """``GET jobs/{a}/diff/{b}``."""
    for side in ("a", "b"):
        if not JOB_ID.fullmatch(call.values[side]):
            raise no_job(call.values[side], code="no-such-job", field=side)
    reader = FactsReader(call.workbench.store, call.workbench.folders)
    first = reader.read(call.values["a"], call.query.a_point)
    second = reader.read(call.values["b"], call.query.b_point)
    return shown_diff(compare(first, second), call.root)


def shown_diff(found: JobDiff, root: Root) -> JobDiff:
    """The same with folders as the client knows them."""
    parts = tuple(
        part.model_copy(update={"items": tuple(_located(one, root) for one in part.items)})
        if part.name == "git"
        else part
        for part in found.sections
    )
    return found.model_copy(update={"sections": parts})


def _located(one: DiffItem, root: Root) -> DiffItem:
    if one.name != "folder":
        return one
    sides = {side: getattr(one, side) for side in ("a", "b")}
    return one.model_copy(
        update={side: root.show(path) for side, path in sides.items() if isinstance(path, str)}
    )
