"""``mlinfn job show`` and ``mlinfn job open``."""

from __future__ import annotations

from collections.abc import Sequence
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
        from jupyter_mlinfn.jobs.notices.delivering import fates

        show_details(details, fates(bench.folders.job(details.job.id)))
        return
    known = details.model_dump(mode="json")
    further = {"spec": known["spec"], "history": known["attempts"]}
    exact = {name: known[name] for name in ("values", "fingerprint", "verdict")}
    emit({**known["job"], **further, **exact})


def show_details(details: JobDetails, fates: Sequence[tuple[str, str]] = ()) -> None:
    """One row a fact; ``fates``: what became of the notices."""
    from rich.table import Table
    from rich.text import Text

    from jupyter_mlinfn.cli.records import detail_rows
    from jupyter_mlinfn.cli.terminal import inert, show
    from jupyter_mlinfn.cli.wishes import wish_rows

    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, fact in (*detail_rows(details), *wish_rows(details.spec, fates)):
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
