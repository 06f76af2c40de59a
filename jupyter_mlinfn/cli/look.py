"""``mlinfn job show`` and ``mlinfn job open``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import JobDetails


@click.command("show")
@click.argument("job")
@json_option
def show_job(job: str, as_json: bool) -> None:
    """All that is known of a job."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit

    bench = open_bench()
    bench.reconciler.run_once()
    details = bench.actions.details(bench.store.get(job).id)
    if not as_json:
        show_details(details)
        return
    known = details.model_dump(mode="json")
    further = {"spec": known["spec"], "history": known["attempts"], "values": known["values"]}
    emit({**known["job"], **further})


def show_details(details: JobDetails) -> None:
    """One row a fact."""
    from rich.table import Table
    from rich.text import Text

    from jupyter_mlinfn.cli.records import detail_rows
    from jupyter_mlinfn.cli.terminal import inert, show

    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, fact in detail_rows(details):
        grid.add_row(Text(name, style="bold"), Text(inert(fact)))
    show(grid)


@click.command("open")
@click.argument("job")
@json_option
def open_output(job: str, as_json: bool) -> None:
    """Print where a job's notebook or output is.

    While the job runs this is the notebook as far as it has come.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, say
    from jupyter_mlinfn.model.errors import Conflict

    bench = open_bench()
    bench.reconciler.run_once()
    record = bench.store.get(job)
    if record.output is None and record.kind == "script":
        raise Conflict(
            f"{record.name} has published nothing.",
            code="nothing-published",
            hint=f"What it printed: mlinfn job log {record.id}",
        )
    path = record.output or str(bench.follower.notebook(record.id))
    if as_json:
        emit({"id": record.id, "path": path, "final": record.output is not None})
        return
    if record.output is None:
        say("The job has published nothing yet: this is its notebook as far as it has come.")
    answer(path)
