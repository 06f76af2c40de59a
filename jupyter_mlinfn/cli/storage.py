"""``mlinfn areas``: where your files lie, who sees them and how full it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.areas import Area, AreaUse
    from jupyter_mlinfn.model.storage import AreaList, AreaState


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def areas(context: click.Context, as_json: bool) -> None:
    """Show your storage areas: path, who sees them, what survives, how full they are."""
    if context.invoked_subcommand is not None:
        return
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit

    found = open_bench().storage.list_counted()
    if as_json:
        emit(found)
    else:
        show_areas(found)


@areas.command()
@click.argument("name")
def key(name: str) -> None:
    """Give a program short-lived keys to a bucket, as S3's 'credential_process' reads them."""
    from jupyter_mlinfn.cli.opening import open_bench

    if sys.stdout.isatty():
        raise click.UsageError(
            "This prints keys, and a terminal is no place for them. Programs of S3 ask for them by "
            f"themselves: give them the AWS profile '{name}'."
        )
    storage = open_bench(usable=False).storage
    click.echo(storage.buckets.keys(storage.area(name)).document())


def show_areas(found: AreaList) -> None:
    """One row an area; notes and problems below."""
    from jupyter_mlinfn.cli.terminal import answer, inert, show, table

    made = table(("AREA", "USE", "COPIES", "SURVIVES", "SEEN BY", "BATCH NODES", "PATH"))
    for one in found.areas:
        area = one.area
        made.add_row(
            area.name,
            use_words(one),
            str(one.copies) if area.snapshots else "–",
            "yes" if area.survives else "no",
            inert(audience_words(area)),
            batch_words(area),
            inert(area.bucket or area.path or "–"),
        )
    show(made)
    for one in found.areas:
        if one.problem:
            answer(inert(f"{one.area.name}: {one.problem}"))
        for note in one.notes:
            where = f" ({note.path})" if note.path else ""
            answer(inert(f"{one.area.name}: in use by {note.person}{where}: {note.text}"))


def use_words(one: AreaState) -> str:
    """``3.1 GiB of 20.0 GiB (quota)``; what is not known is a word or a dash, never zero."""
    if one.state != "ready":
        return one.state
    if one.use is None:
        return "being counted" if one.counting else "–"
    return _amount(one.use)


def _amount(use: AreaUse) -> str:
    from jupyter_mlinfn.model.quantities import show_memory

    if use.used is None:
        return "–"
    text = show_memory(use.used)
    if use.at_least:
        return f"at least {text} in {use.files:,} objects"
    return f"{text} of {show_memory(use.total)} ({use.of})" if use.total else text


def audience_words(area: Area) -> str:
    """Who sees it: ``you``, the group's name, ``everyone``."""
    return area.group or "your group" if area.audience == "group" else area.audience


def batch_words(area: Area) -> str:
    """The back-ends whose nodes see it; a question mark where nobody said."""
    if area.batch is None:
        return "?"
    told = ", ".join(area.batch) or "none"
    return f"{told} (by S3)" if area.store is not None and area.batch else told
