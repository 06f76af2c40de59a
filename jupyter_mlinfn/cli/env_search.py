"""``mlinfn env search``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.environment_answers import PackageMatches

SHOWN_VERSIONS = 6


@click.command()
@click.argument("text")
@click.option(
    "--channel", "-c", "channels", multiple=True, metavar="C", help="Instead of those set."
)
@json_option
def search(text: str, channels: tuple[str, ...], as_json: bool) -> int:
    """Look for packages whose names hold TEXT, with their newest versions."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit, inert, say

    searching = open_bench().package_search
    try:
        found = searching.find(text, channels)
    finally:
        searching.close()
    if as_json:
        emit(found)
    else:
        show_matches(found)
    if found.problem:
        say(f"mlinfn: {inert(found.problem)}")
    return 3 if found.problem and not found.packages else 0


def show_matches(found: PackageMatches) -> None:
    """One row a package."""
    from jupyter_mlinfn.cli.terminal import answer, inert, say, show, table

    if not found.packages:
        answer(f"No package is called like '{inert(found.search)}'.")
        return
    made = table(("PACKAGE", "VERSIONS", "CHANNEL"))
    for package in found.packages:
        versions = ", ".join(package.versions[:SHOWN_VERSIONS])
        more = ", …" if len(package.versions) > SHOWN_VERSIONS else ""
        made.add_row(inert(package.name), inert(versions + more), inert(package.channel))
    show(made)
    if found.more:
        say("There are more. Type more of the name.")
