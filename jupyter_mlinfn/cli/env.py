"""``mlinfn env``: environments, what they hold, and what can be done with them."""

from __future__ import annotations

import click

from jupyter_mlinfn.cli.lazy import LazyGroup, Verb

VERBS = {
    "list": Verb("environments:list_environments", "Yours, managed ones, and those found."),
    "show": Verb("environments:show_environment", "One of them, with its packages."),
    "search": Verb("env_search:search", "Look for packages in the channels."),
    "create": Verb("env_making:create", "Make one from packages or a file."),
    "clone": Verb("env_making:clone", "Make your own copy of one."),
    "add": Verb("env_changing:add", "Add packages."),
    "remove": Verb("env_changing:remove", "Remove packages."),
    "update": Verb("env_changing:update", "Bring packages up to date."),
    "history": Verb("env_history:history", "The states it was in."),
    "undo": Verb("env_history:undo", "Go back to an earlier state."),
    "diff": Verb("env_files:diff", "What is other in one than in another."),
    "lock": Verb("env_locking:lock", "A conda-lock.yml, or a lock of what is installed now."),
    "export": Verb("env_files:export", "Write it as a file for other programs."),
    "kernel": Verb("env_keeping:kernel", "Offer it as a kernel, or no longer."),
    "pack": Verb("env_keeping:pack", "Write it as one file."),
    "share": Verb("env_keeping:share", "Copy it to where others read it."),
    "delete": Verb("env_keeping:delete", "Delete one of yours."),
    "gc": Verb("env_keeping:gc", "Remove what nothing uses any more."),
    "tasks": Verb("env_tasks:tasks", "What is being done, and what ended lately."),
    "cancel": Verb("env_tasks:cancel", "End a task."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def env() -> None:
    """Look at environments; make, change, pack and share your own.

    NAME is an environment's name. NAME@DIGEST is a state it was in: 'history' lists them.
    """
