"""``mlinfn job …``: one job. JOB is its id or the beginning of it."""

from __future__ import annotations

import click

from jupyter_mlinfn.cli.lazy import LazyGroup, Verb

VERBS = {
    "show": Verb("look:show_job", "All that is known of it."),
    "log": Verb("log:log", "What it printed; -f to follow."),
    "open": Verb("look:open_output", "Where its notebook or output is."),
    "cancel": Verb("change:cancel", "End it."),
    "rerun": Verb("rerun:rerun", "Run it again, as it was or changed."),
    "delete": Verb("change:delete", "Remove its record and log; its output stays."),
    "clean": Verb("clean:clean", "Remove old jobs; shows what would go first."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def job() -> None:
    """Look at one job, cancel it, run it again, delete it.

    JOB is the job's id or the beginning of it.
    """
