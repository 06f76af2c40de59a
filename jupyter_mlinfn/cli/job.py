"""``mlinfn job …``: one job. JOB is its id or the beginning of it."""

from __future__ import annotations

import click

from jupyter_mlinfn.cli.lazy import LazyGroup, Verb

VERBS = {
    "show": Verb("look:show_job", "All that is known of it."),
    "points": Verb("points:points", "The points of a sweep and what they recorded."),
    "log": Verb("log:log", "What it printed; -f to follow."),
    "open": Verb("look:open_output", "Where its notebook or output is."),
    "cancel": Verb("change:cancel", "End it."),
    "release": Verb("change:release", "Let it go where its batch system holds it."),
    "rerun": Verb("rerun:rerun", "Run it again, as it was or changed."),
    "diff": Verb("diff:diff", "What differs between two."),
    "share": Verb("sharing:share", "Let colleagues see it: a copy in your group's area."),
    "unshare": Verb("sharing:unshare", "Take the copy away again."),
    "shared": Verb("sharing:shared", "Look at what a colleague shares."),
    "delete": Verb("change:delete", "Remove its record and log; its output stays."),
    "clean": Verb("clean:clean", "Remove old jobs; shows what would go first."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def job() -> None:
    """Look at one job, cancel it, run it again, delete it.

    JOB is the job's id or the beginning of it.
    """
