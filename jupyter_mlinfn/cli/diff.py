"""``mlinfn job diff``: two jobs, or two points of sweeps, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from rich.table import Table

    from jupyter_mlinfn.jobs.exactness.facts import Facts
    from jupyter_mlinfn.model.exactness import DiffedJob, DiffItem, DiffSection, JobDiff
    from jupyter_mlinfn.workbench import Workbench

_NAMED = re.compile(r"([a-z2-7]{1,10})(?:/([0-9]{1,4}))?", re.ASCII)
_MARKS = {"equal": "=", "changed": "≠", "only-a": "-", "only-b": "+", "unknown": "?"}
_SHORT = 12

SHARED = "shared:"
"""Before the id of a job that somebody shares."""


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--all", "everything", is_flag=True, help="Show what is equal, too.")
@json_option
def diff(a: str, b: str, everything: bool, as_json: bool) -> None:
    """What differs between two jobs: parameters, packages, code, inputs, outputs, machine, times.

    \b
    mlinfn job diff k3jq7 m2xw5
    mlinfn job diff k3jq7/0 k3jq7/12      two points of a sweep
    mlinfn job diff k3jq7 shared:m2xw5    your job and one that a colleague shares
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.jobs.exactness.comparing import compare

    bench = open_bench()
    bench.reconciler.run_once()
    found = compare(read_facts(bench, a, "a"), read_facts(bench, b, "b"))
    if as_json:
        emit(found)
    else:
        show_diff(found, everything=everything)


def read_facts(bench: Workbench, text: str, field: str) -> Facts:
    """The facts of ``JOB`` or ``JOB/POINT``. Raises :class:`InputError` and :class:`NotFound`."""
    from jupyter_mlinfn.jobs.exactness.facts import FactsReader
    from jupyter_mlinfn.model.errors import InputError

    if text.startswith(SHARED):
        return bench.sharing.look(text.removeprefix(SHARED)).facts()
    named = _NAMED.fullmatch(text)
    if named is None:
        raise InputError(
            f"'{text[:40]}' names no job. Write JOB, or JOB/POINT for a point of a sweep.",
            code="bad-job",
            field=field,
        )
    point = None if named[2] is None else int(named[2])
    return FactsReader(bench.store, bench.folders).read(named[1], point)


def show_diff(found: JobDiff, *, everything: bool) -> None:
    """The difference in words and tables; sections that are equal take one line."""
    from jupyter_mlinfn.cli.terminal import answer, inert, show

    answer(f"a  {inert(_about(found.a))}")
    answer(f"b  {inert(_about(found.b))}")
    answer(inert(found.text))
    for part in found.sections:
        shown = [one for one in part.items if everything or one.standing != "equal"]
        equal = sum(one.standing == "equal" for one in part.items)
        if not part.items and not part.note:
            continue
        answer("")
        answer(_title(part, equal))
        if part.note:
            answer(f"  {inert(part.note)}")
        if shown:
            show(_table(shown))
        for one in shown:
            for line in _detail(one):
                answer(line)


def _about(job: DiffedJob) -> str:
    from jupyter_mlinfn.cli.records import ago

    point = "" if job.point is None else f"/{job.point}"
    return f"{job.id}{point}  {job.name}  {job.state}  {job.backend}  {ago(job.submitted_at)}"


def _title(part: DiffSection, equal: int) -> str:
    if part.same is None:
        return f"{part.title}: cannot be told"
    if part.same:
        return f"{part.title}: equal ({equal})"
    return f"{part.title}: different{f' ({equal} more are equal)' if equal else ''}"


def _table(items: list[DiffItem]) -> Table:
    from jupyter_mlinfn.cli.terminal import inert, table

    made = table(("", "", "A", "B"))
    made.show_header = False
    for one in items:
        told = (shown_value(one.a, one.kind), shown_value(one.b, one.kind))
        made.add_row(f"  {_MARKS[one.standing]}", inert(one.name), *map(inert, told))
    return made


def _detail(one: DiffItem) -> Iterator[str]:
    from jupyter_mlinfn.cli.terminal import inert

    if one.detail:
        yield f"  {inert(one.name)}"
        yield from (f"    {inert(line)}" for line in one.detail)


def shown_value(value: Any, kind: str) -> str:
    """A value of a difference for people; ``–`` where a side has none."""
    from jupyter_mlinfn.model.quantities import show_duration, show_memory

    if value is None:
        return "–"
    if kind == "bytes":
        return show_memory(value)
    if kind == "seconds":
        return f"{value:.2f} s" if value < 10 else show_duration(value)
    if kind == "hash":
        digest = str(value).removeprefix("sha256:")
        return f"{digest[:_SHORT]}…" if len(digest) > 2 * _SHORT else digest
    return value if isinstance(value, str) else repr(value)
