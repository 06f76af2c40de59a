"""Preview, question, task, end: the way of every verb that makes or changes an environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from jupyter_mlinfn.model.environment_tasks import Task, TaskRequest
    from jupyter_mlinfn.workbench import Workbench

F = TypeVar("F", bound=Callable[..., Any])


def carrying_options(function: F) -> F:
    """``--dry-run``, ``--yes`` and ``--json``."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option("--yes", is_flag=True, help="Do it without a preview and a question."),
        click.option("--dry-run", is_flag=True, help="Show what would change; change nothing."),
    ):
        function = decorate(function)
    return function


class Steps:
    """What a verb does with its request, in the workbench of one run of the program."""

    def __init__(self, bench: Workbench, *, dry_run: bool, yes: bool, as_json: bool) -> None:
        """Raises :class:`click.UsageError` where nobody can be asked and nothing says yes."""
        need_consent(yes=yes or dry_run)
        self.bench = bench
        self.dry_run = dry_run
        self.yes = yes
        self.as_json = as_json

    def carry_out(self, request: TaskRequest, question: str) -> Task:
        """The task of ``request``; its preview where nothing was done after it."""
        from jupyter_mlinfn.environments.own.asking import check_request

        check_request(request, self.bench.policy())
        if self.yes and not self.dry_run:
            return self.do(request)
        preview = self._preview(request)
        if self.dry_run or preview.state != "succeeded" or changes_nothing(preview):
            return preview
        if not asked(question):
            return preview
        return self.do(request.model_copy(update={"after": preview.id}))

    def do(self, request: TaskRequest) -> Task:
        """Start it, follow it, say how it ended."""
        from jupyter_mlinfn.cli.env_following import carry
        from jupyter_mlinfn.cli.env_words import tell_end

        task = carry(self.bench.tasks, request)
        if not self.as_json or task.state != "succeeded":
            tell_end(task)
        if task.state == "succeeded" and task.action in ("change", "restore", "relock"):
            self._tell_who_keeps_the_old(task.name)
        return task

    def end(self, task: Task) -> int:
        """Give the document, and the exit code: 1 when the person said no."""
        from jupyter_mlinfn.cli.env_following import exit_code
        from jupyter_mlinfn.cli.terminal import emit

        if self.as_json:
            emit(task)
        declined = task.preview and task.state == "succeeded" and not self.dry_run
        return 1 if declined and not changes_nothing(task) else exit_code(task)

    def _tell_who_keeps_the_old(self, name: str) -> None:
        """Kernels that run in it are not changed under their feet; people should know."""
        from jupyter_mlinfn.cli.env_words import users
        from jupyter_mlinfn.cli.terminal import say
        from jupyter_mlinfn.model.errors import MlinfnError

        try:
            used_by = self.bench.own.details(name).used_by
        except MlinfnError:
            return  # deleted meanwhile, or jobs cannot be asked: the change was told already
        kernels = [user for user in used_by if user.kind == "kernel"]
        if kernels:
            say(f"What runs now keeps its packages until you restart it: {users(kernels)}.")

    def _preview(self, request: TaskRequest) -> Task:
        from jupyter_mlinfn.cli.env_following import carry
        from jupyter_mlinfn.cli.env_words import show_change, tell_end
        from jupyter_mlinfn.cli.terminal import answer, inert

        task = carry(self.bench.tasks, request.model_copy(update={"preview": True}))
        if task.state != "succeeded" or task.result is None:
            tell_end(task)
        elif not self.as_json and task.result.change is not None:
            show_change(task.result.change)
        elif not self.as_json:
            answer(inert(task.result.text))
        return task


def need_consent(*, yes: bool) -> None:
    """Raises :class:`click.UsageError` where nobody can be asked and ``yes`` is false."""
    if yes or can_ask():
        return
    raise click.UsageError(
        "Nobody can be asked here, so nothing was done. Add --dry-run to see what would change, "
        "or --yes to do it."
    )


def can_ask() -> bool:
    """Whether somebody sits there who reads questions and can answer them."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def asked(question: str, otherwise: str | None = "Nothing was changed.") -> bool:
    """Whether the person says yes, asked on standard error; ``otherwise`` is said after a no."""
    from jupyter_mlinfn.cli.terminal import say

    if click.confirm(question, err=True):
        return True
    if otherwise:
        say(otherwise)
    return False


def changes_nothing(task: Task) -> bool:
    """Whether the preview of a change says that all is as wished already."""
    from jupyter_mlinfn.cli.env_words import is_empty

    change = task.result.change if task.result else None
    return task.action == "change" and change is not None and is_empty(change)
