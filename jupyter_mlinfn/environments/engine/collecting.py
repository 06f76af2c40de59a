"""Remove what no environment, kernel or job uses any more."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import TypeAdapter

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.leaving import CANCELLED, Leaving
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.own.removing import collect
from jupyter_mlinfn.environments.own.tasks import USERS
from jupyter_mlinfn.environments.own.using import Users, running
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import Collect, GcPlan, TaskResult
from jupyter_mlinfn.model.environments import EnvironmentUser
from jupyter_mlinfn.model.quantities import show_count, show_memory

_LARGEST = 64 * 2**20
_USERS: TypeAdapter[tuple[EnvironmentUser, ...]] = TypeAdapter(tuple[EnvironmentUser, ...])


def perform_collect(
    assignment: Assignment, request: Collect, reporter: Reporter, leaving: Leaving
) -> TaskResult:
    """The result. Every thing is removed whole or not at all, also when it is cancelled.

    The jobs are those that whoever started the task knew of. Raises OSError.
    """
    leaving.be_gentle()
    jobs = _USERS.validate_json(read_head(assignment.folder / USERS, _LARGEST))
    reporter.say("checking", "What is used")

    def report(name: str, done: int, total: int) -> None:
        reporter.say("removing", name, done=done, total=total)

    plan = collect(
        assignment.layout,
        Users(running(), jobs),
        dry_run=request.preview,
        task=assignment.identifier,
        report=report,
        stopped=leaving.wished.is_set,
    )
    stopped = leaving.wished.is_set()
    return TaskResult(
        state="cancelled" if stopped else "succeeded",
        ended_at=datetime.now(UTC),
        text=_sentence(plan, stopped=stopped),
        freed=plan,
        exit_code=CANCELLED if stopped else 0,
        code="cancelled" if stopped else None,
    )


def _sentence(plan: GcPlan, *, stopped: bool) -> str:
    what = show_count(len(plan.items), "thing")
    size = f"{show_memory(plan.size)} in {show_count(plan.files, 'file')}"
    if not plan.done:
        return f"{what} that nobody uses would go: {size}. Nothing was changed yet."
    if stopped:
        return f"Cancelled. {what} had been removed, which freed {size}; the rest stays."
    if not plan.items:
        return "Everything here is used. Nothing was removed."
    return f"{what} that nobody used {'is' if len(plan.items) == 1 else 'are'} gone: {size}."
