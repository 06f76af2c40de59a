"""``mlinfn env add``, ``remove`` and ``update``."""

from __future__ import annotations

import click

from jupyter_mlinfn.cli.env_carrying import Steps, carrying_options


@click.command()
@click.argument("name")
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--pip", multiple=True, metavar="REQ", help="A package of PyPI. Repeat for more.")
@carrying_options
def add(
    name: str,
    packages: tuple[str, ...],
    pip: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Add packages to the environment NAME, such as 'torch>=2.6'."""
    if not (packages or pip):
        raise click.UsageError("Say what to add: one or more packages, or --pip.")
    return _change(
        name,
        f"Change '{name}'?",
        {"add": packages, "add_pip": pip},
        dry_run=dry_run,
        yes=yes,
        as_json=as_json,
    )


@click.command()
@click.argument("name")
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...")
@carrying_options
def remove(name: str, packages: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool) -> int:
    """Remove packages from the environment NAME, and what needs them."""
    return _change(
        name, f"Change '{name}'?", {"remove": packages}, dry_run=dry_run, yes=yes, as_json=as_json
    )


@click.command()
@click.argument("name")
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@carrying_options
def update(name: str, packages: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool) -> int:
    """Bring packages of the environment NAME up to date; without PACKAGE all of them."""
    wishes = {"update": packages, "update_all": not packages}
    return _change(name, f"Update '{name}'?", wishes, dry_run=dry_run, yes=yes, as_json=as_json)


def _change(
    name: str, question: str, wishes: dict[str, object], *, dry_run: bool, yes: bool, as_json: bool
) -> int:
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.model.environment_tasks import Alter

    request = validated(Alter, name=name, **wishes)
    steps = Steps(open_bench(), dry_run=dry_run, yes=yes, as_json=as_json)
    return steps.end(steps.carry_out(request, question))
