"""``mlinfn local-dispatcher``: the detached program that starts this machine's waiting jobs."""

from __future__ import annotations

import click


@click.command(hidden=True)
@click.option("--data-dir", metavar="FOLDER", help="Data folder, when not the configured one.")
def dispatcher(data_dir: str | None) -> None:
    """Start waiting jobs until none is left. Started by whoever submits; never by hand."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.jobs.dispatcher import run

    bench = open_bench(data_dir)
    run(bench.backend_context)
    bench.retain()  # now that nothing waits or runs
