"""Following a task of an environment: progress on standard error, Ctrl-C, the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jupyter_mlinfn.cli.terminal import console, inert, say
from jupyter_mlinfn.cli.waiting import ctrl_c
from jupyter_mlinfn.model.quantities import show_memory

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.own.tasks import EnvironmentTasks
    from jupyter_mlinfn.model.environment_tasks import Task, TaskEvent, TaskRequest

PAUSE = 0.1
"""Seconds between two looks; a look is a few small files."""
CANCEL_PATIENCE = 20.0
"""Seconds a task may need to end after Ctrl-C: what it has unpacked is removed first."""
INTERRUPTED = 130

PHASES = {
    "starting": "Starting",
    "solving": "Looking for packages that go together",
    "downloading": "Downloading",
    "checking": "Checking",
    "linking": "Installing",
    "compiling": "Compiling",
    "packing": "Packing",
    "copying": "Copying",
    "removing": "Removing",
    "finishing": "Finishing",
}

Show = Callable[["Task"], None]


def carry(tasks: EnvironmentTasks, request: TaskRequest) -> Task:
    """Start ``request`` and show how it goes on; the task when it has ended.

    Ctrl-C, from the start on, asks the task to stop and waits until it has; pressed again, it
    ends the waiting. Raises what ``tasks.start`` raises.
    """
    with ctrl_c() as pressed:
        task = tasks.start(request)
        with progress() as show:
            show(task)
            while task.state == "running" and not pressed.wait(PAUSE):
                task = tasks.read(task.id)
                show(task)
        if task.state != "running":
            return task
        try:
            return _cancelled(tasks, task)
        except KeyboardInterrupt:
            return _told(tasks.read(task.id))


def _cancelled(tasks: EnvironmentTasks, task: Task) -> Task:
    tasks.cancel(task.id)
    say("Cancelling. What it had begun is taken away first.")
    return _told(tasks.wait(task.id, CANCEL_PATIENCE))


def _told(task: Task) -> Task:
    if task.state == "running":
        say(f"It has not ended yet. See: mlinfn env tasks ({task.id})")
    return task


def exit_code(task: Task) -> int:
    """How the program ends: the task's own code, 130 when it was cancelled or still runs."""
    if task.result is None or task.state == "cancelled":
        return INTERRUPTED
    return task.result.exit_code or (0 if task.state == "succeeded" else 1)


@contextmanager
def progress() -> Iterator[Show]:
    """A bar where people look, else a line for each new phase."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}", markup=False),
        TextColumn("{task.fields[current]}", markup=False, style="dim"),
    )
    with Progress(*columns, console=console(sys.stderr), transient=True) as bars:
        bar = bars.add_task("Starting", total=None, amount="", current="")

        def show(task: Task) -> None:
            event = task.event
            if event is not None:
                bars.update(
                    bar,
                    description=PHASES[event.phase],
                    total=event.total or None,
                    completed=event.done,
                    amount=amount(event),
                    current=inert(event.text)[:60],
                )

        yield show


class _Lines:
    """One line a phase, for files, pipes and notebooks."""

    def __init__(self) -> None:
        self._phase = ""

    def show(self, task: Task) -> None:
        event = task.event
        if event is None or event.phase == self._phase or task.state != "running":
            return
        self._phase = event.phase
        total = f" {_unit(event.total, event)}" if event.total else ""
        say(f"{PHASES[event.phase]}{total} …")


def amount(event: TaskEvent) -> str:
    """``12 of 59 packages``, ``3.1 of 12 MiB``; nothing where the whole is not known."""
    if not event.total:
        return ""
    done = show_memory(event.done) if event.unit == "bytes" else f"{event.done:,}"
    return f"{done} of {_unit(event.total, event)}"


def _unit(number: int, event: TaskEvent) -> str:
    if event.unit == "bytes":
        return show_memory(number)
    return f"{number:,} {event.unit}".rstrip()
