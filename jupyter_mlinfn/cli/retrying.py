"""``--retries`` and ``--retry-on``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

REASONS = (
    *("notebook-error", "command-failed", "kernel-died"),
    *("out-of-memory", "time-limit", "disk-full"),
)
"""Those of ``model/wishes.py``; spelt out, because the help must not wait for pydantic."""


def retry_options(function: F) -> F:
    """How often it starts again, and after what besides the loss of its machine."""
    for decorate in (
        click.option(
            "--retry-on",
            type=click.Choice(REASONS),
            multiple=True,
            help="Start it again for this reason too. Repeat.",
        ),
        click.option(
            "--retries",
            type=int,
            default=0,
            metavar="N",
            help="Start it so often again when its machine was lost or stopped.",
        ),
    ):
        function = decorate(function)
    return function
