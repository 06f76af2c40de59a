"""Environments by HTTP: read the call, check the name, ask the capability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.environments.describing import describe
from jupyter_mlinfn.environments.own.asking import check_request
from jupyter_mlinfn.environments.own.exporting import compare, export_file
from jupyter_mlinfn.environments.own.layout import check_name
from jupyter_mlinfn.environments.own.naming import check_state
from jupyter_mlinfn.model.environment_answers import (
    DeletedEnvironment,
    Difference,
    EnvironmentDetails,
    EnvironmentHistory,
    ExportedFile,
    PackageMatches,
    RegisteredKernel,
)
from jupyter_mlinfn.model.environment_tasks import GcPlan, Task, TaskList
from jupyter_mlinfn.model.environments import EnvironmentList

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call


def list_environments(call: Call) -> EnvironmentList:
    """``GET environments``."""
    return call.workbench.catalogue.list()


def start(call: Call) -> Task:
    """``POST environments/tasks``: the task goes on when this server ends."""
    bench, request = call.workbench, call.body.root
    check_request(request, bench.policy())
    return bench.tasks.start(request, key=call.key)


def list_tasks(call: Call) -> TaskList:
    """``GET environments/tasks``."""
    return call.workbench.tasks.list()


def read_task(call: Call) -> Task:
    """``GET environments/tasks/{task}``."""
    return call.workbench.tasks.read(call.values["task"])


def cancel_task(call: Call) -> Task:
    """``POST environments/tasks/{task}/cancel``; one that ended stays as it is."""
    return call.workbench.tasks.cancel(call.values["task"])


def details(call: Call) -> EnvironmentDetails:
    """``GET environments/{name}``: also for ``NAME@DIGEST`` and the name of a kernel."""
    bench, name = call.workbench, check_state(call.values["name"])
    return describe(bench.own, bench.catalogue, bench.environments, name)


def history(call: Call) -> EnvironmentHistory:
    """``GET environments/{name}/history``."""
    return call.workbench.own.history(_name(call))


def export(call: Call) -> ExportedFile:
    """``GET environments/{name}/export``."""
    return export_file(call.workbench.own, check_state(call.values["name"]), call.query.form)


def difference(call: Call) -> Difference:
    """``GET environments/difference``: names only, a path by HTTP would read any file."""
    left, right = check_state(call.query.left), check_state(call.query.right)
    return compare(call.workbench.own, left, right)


def packages(call: Call) -> PackageMatches:
    """``GET environments/packages``."""
    return call.workbench.package_search.find(call.query.search, call.query.channel)


def plan_gc(call: Call) -> GcPlan:
    """``GET environments/gc``."""
    return call.workbench.own.collect(dry_run=True)


def delete(call: Call) -> DeletedEnvironment:
    """``DELETE environments/{name}``."""
    return call.workbench.own.delete(_name(call), force=call.query.force)


def register(call: Call) -> RegisteredKernel:
    """``POST environments/{name}/kernel``."""
    return call.workbench.own.register(_name(call), image=call.body.image)


def unregister(call: Call) -> RegisteredKernel:
    """``DELETE environments/{name}/kernel``."""
    return call.workbench.own.unregister(_name(call), image=call.query.image)


def _name(call: Call) -> str:
    return check_name(call.values["name"])
