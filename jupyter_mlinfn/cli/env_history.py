"""``mlinfn env history`` and ``mlinfn env undo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.env_carrying import Steps, carrying_options
from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.environment_answers import EnvironmentHistory, HistoryState


@click.command()
@click.argument("name")
@json_option
def history(name: str, as_json: bool) -> None:
    """The states the environment NAME was in, newest first."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit

    found = open_bench().own.history(name)
    if as_json:
        emit(found)
    else:
        show_history(found)


def show_history(found: EnvironmentHistory) -> None:
    """One row a state."""
    from jupyter_mlinfn.cli.records import clock
    from jupyter_mlinfn.cli.terminal import answer, inert, show, table
    from jupyter_mlinfn.environments.own.layout import short

    made = table(("", "DIGEST", "WHEN", "WHAT"))
    for state in found.states:
        mark = "●" if state.current else ""
        made.add_row(mark, short(state.digest), clock(state.at), inert(state.text))
    show(made)
    answer(f"Go back: mlinfn env undo {found.name} --to DIGEST")


@click.command()
@click.argument("name")
@click.option(
    "--to", "digest", metavar="DIGEST", help="The state to go to; default: the one before."
)
@carrying_options
def undo(name: str, digest: str | None, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Bring the environment NAME back to an earlier state, with exactly its packages."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.model.environment_tasks import Restore

    bench = open_bench()
    goal = digest or state_before(bench.own.history(name)).digest
    request = validated(Restore, name=name, digest=goal)
    steps = Steps(bench, dry_run=dry_run, yes=yes, as_json=as_json)
    return steps.end(steps.carry_out(request, f"Bring '{name}' back?"))


def state_before(found: EnvironmentHistory) -> HistoryState:
    """The state before the present one; undoing again goes further back, not to and fro.

    Raises :class:`Conflict` (``no-earlier-state``) at the first one.
    """
    from jupyter_mlinfn.model.errors import Conflict

    states = found.states[::-1]
    place = len(states) - 1
    while states[place].action == "restore":
        earlier = [at for at in range(place) if states[at].digest == states[place].digest]
        if not earlier:
            break
        place = earlier[-1]
    if place == 0:
        raise Conflict(
            f"'{found.name}' has no earlier state.",
            code="no-earlier-state",
            hint=f"'mlinfn env history {found.name}' lists all; --to goes to any of them.",
        )
    return states[place - 1]
