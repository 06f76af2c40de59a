"""``mlinfn job cancel``, ``release`` and ``delete``."""

from __future__ import annotations

import sys

import click

from jupyter_mlinfn.cli.options import count, duration, json_option, memory


@click.command()
@click.argument("job")
@click.option(
    "--point",
    "points",
    metavar="K",
    type=click.IntRange(0, 9999),
    multiple=True,
    help="Only this point of a sweep. Repeat.",
)
@json_option
def cancel(job: str, points: tuple[int, ...], as_json: bool) -> None:
    """End a job with all its processes. What it wrote so far is kept."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.records import state_words
    from jupyter_mlinfn.cli.terminal import answer, emit, inert
    from jupyter_mlinfn.model.jobs import ENDED

    bench = open_bench()
    bench.reconciler.run_once()
    found = bench.store.get(job).id
    record = bench.actions.cancel_points(found, points) if points else bench.actions.cancel(found)
    if as_json:
        emit(record)
    elif points and record.state not in ENDED:
        answer(f"{len(points)} of the points of {inert(record.name)} ({record.id}) end.")
    elif record.state in ENDED:
        answer(f"{inert(record.name)} ({record.id}) is {state_words(record)}.")
    else:
        answer(f"{inert(record.name)} ({record.id}) is being ended. Its output so far is kept.")


@click.command()
@click.argument("job")
@click.option("--memory", metavar="SIZE", type=memory, help="Memory it asks for now, such as 8GiB.")
@click.option("--time", metavar="TIME", type=duration, help="Longest run from now on, such as 8h.")
@click.option("--cpus", metavar="N", type=count("cpus", 1, 4096), help="CPUs it asks for now.")
@click.option("--disk", metavar="SIZE", type=memory, help="Room on the machine's own disk.")
@json_option
def release(job: str, as_json: bool, **wanted: int | None) -> None:
    """Let a job go that its batch system holds, when the cause is gone, or asking for something
    else."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.records import resources_words
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.cli.terminal import answer, emit, inert
    from jupyter_mlinfn.model.releasing import ReleaseRequest

    bench = open_bench()
    bench.reconciler.run_once()
    record = bench.actions.release(bench.store.get(job).id, validated(ReleaseRequest, **wanted))
    if as_json:
        emit(record)
        return
    answer(f"{inert(record.name)} ({record.id}) is released and waits for its turn.")
    if any(wanted.values()):
        answer(f"It asks for {resources_words(record.resources)} now.")


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
