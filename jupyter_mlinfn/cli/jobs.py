"""``mlinfn jobs``: the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import count, json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import JobState

STATES: tuple[JobState, ...] = (
    "queued",
    "starting",
    "running",
    "evicted",
    "succeeded",
    "failed",
    "cancelled",
)


@click.command()
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only these. Repeat."
)
@click.option("--search", metavar="TEXT", help="Only jobs whose name or source holds this.")
@click.option(
    "--limit",
    metavar="N",
    type=count("limit", 1, 200),
    default="50",
    show_default=True,
    help="How many.",
)
@click.option("--cursor", metavar="TEXT", help="Go on where a page ended ('next' of --json).")
@click.option("--shared", is_flag=True, help="What people share with you, instead of your own.")
@json_option
def jobs(
    states: tuple[JobState, ...],
    search: str | None,
    limit: int,
    cursor: str | None,
    shared: bool,
    as_json: bool,
) -> None:
    """List your jobs, newest first."""
    if shared:
        from jupyter_mlinfn.cli.sharing import list_shared

        list_shared(states=states, search=search, limit=limit, as_json=as_json)
        return
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.records import jobs_table
    from jupyter_mlinfn.cli.terminal import answer, emit, say, show

    bench = open_bench()
    bench.reconciler.run_once()
    page = bench.store.page(states=states, search=search, limit=limit, cursor=cursor)
    if as_json:
        listed = [record.model_dump(mode="json") for record in page.jobs]
        emit({"jobs": listed, "next": page.next})
        return
    if page.jobs:
        show(jobs_table(page.jobs))
    elif states or search:
        answer("No job fits.")
    else:
        answer("You have no jobs yet. Submit one: mlinfn submit NOTEBOOK.ipynb")
    if page.next:
        say(f"There are more. Show them with --cursor={page.next}, or a larger --limit.")
