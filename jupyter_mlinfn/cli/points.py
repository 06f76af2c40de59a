"""``mlinfn job points``: the results of a sweep."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from jupyter_mlinfn.cli.diff import SHARED
from jupyter_mlinfn.cli.jobs import STATES
from jupyter_mlinfn.cli.options import count, json_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.table import Table

    from jupyter_mlinfn.model.sweeps import Point, PointFilter, PointPage
    from jupyter_mlinfn.workbench import Workbench

_WIDEST = 40


@click.command()
@click.argument("job")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only these. Repeat."
)
@click.option("--search", metavar="TEXT", help="Only points whose parameters hold this.")
@click.option(
    "--sort",
    metavar="NAME",
    default="index",
    show_default=True,
    help="A parameter, a recorded value, state, seconds, started_at or ended_at.",
)
@click.option("--descending", is_flag=True, help="The largest first.")
@click.option(
    "--limit",
    metavar="N",
    type=count("limit", 1, 500),
    default="50",
    show_default=True,
    help="How many.",
)
@click.option("--cursor", metavar="TEXT", help="Go on where a page ended ('next' of --json).")
@click.option("--csv", "as_csv", is_flag=True, help="All points as CSV, in their own order.")
@json_option
def points(job: str, as_csv: bool, as_json: bool, **options: Any) -> None:
    """The points of a sweep: parameters, state, and the values they recorded.

    JOB may also be shared:ID, a sweep that somebody shares.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.cli.terminal import answer, emit, say, show
    from jupyter_mlinfn.model.sweeps import PointFilter

    if as_csv and as_json:
        raise click.UsageError("Choose --csv or --json, not both.")
    wanted = validated(
        PointFilter,
        state=options["states"],
        search=options["search"],
        sort=options["sort"],
        order="desc" if options["descending"] else "asc",
    )
    read = _shared if job.startswith(SHARED) else _own
    page, every = read(open_bench(), job, wanted, options["limit"], options["cursor"])
    if as_csv:
        from jupyter_mlinfn.jobs.sweeps.sheet import csv_of

        sys.stdout.write(csv_of(every(), page.columns))
    elif as_json:
        emit(page)
    elif page.points:
        show(points_table(page))
    else:
        answer("No point fits.")
    if page.next and not as_csv:
        say(f"There are more. Show them with --cursor={page.next}, or a larger --limit.")


def _own(
    bench: Workbench, job: str, wanted: PointFilter, limit: int, cursor: str | None
) -> tuple[PointPage, Callable[[], Iterable[Point]]]:
    bench.reconciler.run_once()
    record, points = bench.store.get(job), bench.store.points
    return points.page(record.id, wanted, limit, cursor), lambda: points.all(record.id)


def _shared(
    bench: Workbench, job: str, wanted: PointFilter, limit: int, cursor: str | None
) -> tuple[PointPage, Callable[[], Iterable[Point]]]:
    table = bench.sharing.look(job.removeprefix(SHARED)).points
    return table.page(wanted, limit, cursor), lambda: table.points


def points_table(page: PointPage) -> Table:
    """The page as a table: number, state, what it was given and what it recorded, how long."""
    from jupyter_mlinfn.cli.terminal import inert, table

    names = [*page.columns.parameters, *page.columns.values]
    titles = ("POINT", "STATE", *map(inert, names), "TOOK", "WHY")
    made = table(titles, right=("POINT", "TOOK", *map(inert, names)))
    for point in page.points:
        given = [cell(point.parameters, name) for name in page.columns.parameters]
        recorded = [cell(point.values, name) for name in page.columns.values]
        made.add_row(str(point.index), point.state, *given, *recorded, took(point), why(point))
    return made


def cell(values: dict[str, Any], name: str) -> str:
    """One value, short and without anything a terminal would obey."""
    from jupyter_mlinfn.cli.terminal import inert

    if name not in values:
        return "–"
    value = values[name]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return inert(text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…")


def took(point: Point) -> str:
    """How long it ran; ``–`` when it has not ended."""
    from jupyter_mlinfn.model.quantities import show_duration

    if point.started_at is None or point.ended_at is None:
        return "–"
    return show_duration(max(0.0, (point.ended_at - point.started_at).total_seconds()))


def why(point: Point) -> str:
    """Why it is as it is, where that is worth a word."""
    from jupyter_mlinfn.cli.terminal import inert

    return inert(point.reason.text) if point.reason else ""
