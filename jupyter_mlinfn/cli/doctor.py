"""``mlinfn doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.diagnosis import Diagnosis

_MARKS = {"ok": ("✓ ok", "green"), "warning": ("! look", "yellow"), "missing": ("– none", "dim")}


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Show what this machine offers, what is missing, and what to do about it.

    The exit code is 1 when something is wrong that jobs cannot do without.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.server import lab_check
    from jupyter_mlinfn.cli.terminal import emit, say
    from jupyter_mlinfn.diagnosis import Diagnosis, diagnose, failures

    report = Diagnosis(checks=(*diagnose(open_bench(usable=False)).checks, lab_check()))
    failed = failures(report)
    if as_json:
        emit(report)
    else:
        show_checks(report)
    for check in failed:
        say(f"Jobs cannot run here until this is put right: {check.name}.")
    return 1 if failed else 0


def show_checks(report: Diagnosis) -> None:
    """One row a check: its mark in words, its name, what was seen and what to do."""
    from rich.table import Table
    from rich.text import Text

    from jupyter_mlinfn.cli.terminal import inert, show

    grid = Table.grid(padding=(0, 2, 0, 0))
    for check in report.checks:
        word, colour = _MARKS[check.state]
        text = Text(inert(check.text))
        if check.hint:
            text.append(f"\n→ {inert(check.hint)}", style="dim")
        grid.add_row(Text(word, style=colour), Text(check.name), text)
    show(grid)
