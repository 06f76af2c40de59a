"""One thing done to many jobs, by HTTP: a route for each verb, with the right that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.model.joblists import BulkAnswer

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call


def cancel(call: Call) -> BulkAnswer:
    """``POST jobs/bulk/cancel``."""
    return call.workbench.bulk.carry_out("cancel", call.body)


def delete(call: Call) -> BulkAnswer:
    """``POST jobs/bulk/delete``."""
    return call.workbench.bulk.carry_out("delete", call.body)


def rerun(call: Call) -> BulkAnswer:
    """``POST jobs/bulk/rerun``."""
    return call.workbench.bulk.carry_out("rerun", call.body, call.key)
