"""``mlinfn env tasks`` and ``mlinfn env cancel``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from jupyter_mlinfn.model.environment_tasks import Task
    from jupyter_mlinfn.workbench import Workbench


@click.command()
@json_option
def tasks(as_json: bool) -> None:
    """What is being done to environments, and what ended within the last hour."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, show

    found = open_bench().tasks.list()
    if as_json:
        emit(found)
    elif found.tasks:
        show(tasks_table(found.tasks))
    else:
        answer("Nothing is being done, and nothing ended within the last hour.")


def tasks_table(found: Sequence[Task]) -> Table:
    """One row a task, newest first."""
    from jupyter_mlinfn.cli.records import ago
    from jupyter_mlinfn.cli.terminal import inert, table

    made = table(("TASK", "ENVIRONMENT", "WHAT", "STATE", "BEGUN", "HOW FAR"))
    for task in found:
        what = f"{task.action} (preview)" if task.preview else task.action
        begun = ago(task.started_at)
        name = inert(task.name or "all")
        made.add_row(task.id, name, what, task.state, begun, inert(how_far(task)))
    return made


def how_far(task: Task) -> str:
    """The last step, or the sentence at the end."""
    from jupyter_mlinfn.cli.env_following import PHASES, amount

    if task.result is not None:
        return task.result.text
    if task.event is None:
        return "starting"
    event = task.event
    return " ".join(part for part in (PHASES[event.phase], amount(event), event.text) if part)


@click.command()
@click.argument("task")
@json_option
def cancel(task: str, as_json: bool) -> int:
    """End a task; what it had begun is taken away. TASK is its id or the beginning of it."""
    from jupyter_mlinfn.cli.env_following import CANCEL_PATIENCE
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, inert

    bench = open_bench()
    asked = bench.tasks.cancel(whole_id(bench, task))
    ended = bench.tasks.wait(asked.id, CANCEL_PATIENCE)
    if as_json:
        emit(ended)
    elif ended.result is not None:
        answer(inert(ended.result.text))
    else:
        answer("It has been asked to end and has not done so yet.")
    return 0 if ended.state == "cancelled" else 1


def whole_id(bench: Workbench, text: str) -> str:
    """The id that begins with ``text``. Raises :class:`InputError` when several do."""
    from jupyter_mlinfn.model.errors import InputError

    found = [task.id for task in bench.tasks.list().tasks if task.id.startswith(text)]
    if len(found) > 1:
        raise InputError(
            f"Several tasks begin with {text[:16]!r}. Give more of its id.",
            code="ambiguous-task",
            field="task",
        )
    return found[0] if found and text else text
