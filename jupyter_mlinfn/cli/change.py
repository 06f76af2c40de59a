"""``mlinfn job cancel`` and ``mlinfn job delete``."""

from __future__ import annotations

import sys

import click

from jupyter_mlinfn.cli.options import json_option


@click.command()
@click.argument("job")
@json_option
def cancel(job: str, as_json: bool) -> None:
    """End a job with all its processes. What it wrote so far is kept."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.records import state_words
    from jupyter_mlinfn.cli.terminal import answer, emit, inert
    from jupyter_mlinfn.model.jobs import ENDED

    bench = open_bench()
    bench.reconciler.run_once()
    record = bench.actions.cancel(bench.store.get(job).id)
    if as_json:
        emit(record)
    elif record.state in ENDED:
        answer(f"{inert(record.name)} ({record.id}) is {state_words(record)}.")
    else:
        answer(f"{inert(record.name)} ({record.id}) is being ended. Its output so far is kept.")


@click.command()
@click.argument("job")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(job: str, yes: bool, as_json: bool) -> None:
    """Remove an ended job's record, log and captured files. Its output folder stays."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, inert

    bench = open_bench()
    bench.reconciler.run_once()
    record = bench.store.get(job)
    confirm(
        f"Remove the record and log of {inert(record.name)} ({record.id})? Its output stays.",
        yes=yes,
    )
    bench.actions.delete(record.id)
    if as_json:
        emit({"id": record.id, "deleted": True, "output": record.output})
        return
    answer(f"Removed {inert(record.name)} ({record.id}).")
    if record.output:
        answer(f"Its output is still there: {inert(record.output)}")


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is lost; without a terminal ``--yes`` is the only answer."""
    from jupyter_mlinfn.cli.terminal import say

    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here. Add --yes when you are sure.")
    if not click.confirm(question, err=True):
        say("Nothing was removed.")
        raise click.exceptions.Exit(1)
