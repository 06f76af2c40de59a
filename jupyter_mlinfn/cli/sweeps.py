"""Sweeps on the command line: how they are asked for, and how they are said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jupyter_mlinfn.cli.options import count

if TYPE_CHECKING:
    from jupyter_mlinfn.model.sweeps import Sweep, SweepCounts, SweepDraft

F = TypeVar("F", bound=Callable[..., Any])


def sweep_options(function: F) -> F:
    """``--sweep``, ``--sweep-file`` and ``--throttle``."""
    for decorate in (
        click.option(
            "--throttle",
            metavar="N",
            type=count("throttle", 1, 10_000),
            help="At most so many points of the sweep at once.",
        ),
        click.option(
            "--sweep-file", metavar="CSV", help="A table of points; its first line names them."
        ),
        click.option(
            "--sweep",
            "sweeps",
            metavar="NAME=VALUES",
            multiple=True,
            help="Run every value, such as lr=0.1,0.01 or seed=0..99. Repeat to combine.",
        ),
    ):
        function = decorate(function)
    return function


def read_sweep(options: dict[str, Any]) -> Sweep | None:
    """What was asked of a sweep; ``None``: nothing. Raises :class:`InputError`, usage errors."""
    from jupyter_mlinfn.cli.options import read_parameters
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.model.sweeps import Sweep

    axes, file, throttle = options["sweeps"], options["sweep_file"], options["throttle"]
    if not axes and file is None:
        if throttle is not None:
            raise click.UsageError("--throttle is for sweeps: add --sweep NAME=VALUES.")
        return None
    return validated(
        Sweep,
        raw_axes=read_parameters(axes),
        file=str(Path(file).absolute()) if file is not None else None,
        throttle=throttle,
    )


def counts_words(counts: SweepCounts) -> str:
    """``97 of 100 done, 2 running, 1 failed``."""
    done = counts.succeeded + counts.failed + counts.cancelled
    words = [f"{done:,} of {counts.points:,} done"]
    told = (
        (counts.running + counts.starting, "running"),
        (counts.evicted, "evicted"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
    )
    return ", ".join([*words, *(f"{number:,} {what}" for number, what in told if number)])


def point_lines(draft: SweepDraft) -> list[str]:
    """What a sweep comes to, in words: the number of points, and the first few."""
    lines = [f"Sweep: {draft.points:,} points over {', '.join(draft.varied)}."]
    for number, point in enumerate(draft.first):
        given = ", ".join(f"{name}={value!r}" for name, value in point.items())
        lines.append(f"  {number}: {given}")
    if draft.points > len(draft.first):
        lines.append("  …")
    return lines
