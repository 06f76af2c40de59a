"""``mlinfn env``: the environments that jobs can use."""

from __future__ import annotations

import click

from jupyter_mlinfn.cli.lazy import LazyGroup, Verb

VERBS = {
    "list": Verb("environments:list_environments", "All that were found."),
    "show": Verb("environments:show_environment", "One of them, with its packages."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def env() -> None:
    """Show the environments behind the kernels, and those found beside them."""
