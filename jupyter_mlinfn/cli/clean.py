"""``mlinfn job clean``: retention, with a preview."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import duration, json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import CleanupPlan


@click.command()
@click.option(
    "--older-than",
    metavar="TIME",
    type=duration,
    default="30d",
    show_default=True,
    help="Jobs that ended longer ago than this.",
)
@click.option("--outputs", is_flag=True, help="Remove their output folders too.")
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@json_option
def clean(older_than: int, outputs: bool, yes: bool, as_json: bool) -> int:
    """Remove the records and logs of jobs that ended long ago.

    Without --yes nothing is removed: you see what would go.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.model.jobs import CleanupRequest

    bench = open_bench()
    bench.reconciler.run_once()
    request = CleanupRequest(older_than=older_than, outputs=outputs, dry_run=not yes)
    plan = bench.actions.cleanup(request)
    if as_json:
        emit(plan)
    else:
        show_plan(plan, outputs=outputs)
    return 1 if plan.failed else 0


def show_plan(plan: CleanupPlan, *, outputs: bool) -> None:
    """What goes or went, how much it is, and what stays."""
    from jupyter_mlinfn.cli.records import clock, shortened
    from jupyter_mlinfn.cli.terminal import answer, inert, say, show, table
    from jupyter_mlinfn.model.quantities import show_memory

    if not plan.items:
        answer("No job is that old. Nothing to remove.")
        return
    rows = table(("JOB", "NAME", "ENDED", "SIZE", "OUTPUT"), right=("SIZE",))
    for item in plan.items:
        name = shortened(inert(item.name), 32)
        folder = inert(item.output_folder or "–") if outputs else "stays"
        rows.add_row(item.id, name, clock(item.ended_at), show_memory(item.size), folder)
    show(rows)
    verb = "Removed" if plan.done else "Would remove"
    answer(f"{verb} {len(plan.items)} jobs, {show_memory(plan.size)}.")
    if not plan.done:
        answer("Nothing was removed. Add --yes to remove them.")
    for problem in plan.failed:
        say(f"Not removed: {inert(problem.text)}")
