"""``mlinfn env list`` and ``mlinfn env show``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from jupyter_mlinfn.model.environment_answers import EnvironmentDetails
    from jupyter_mlinfn.model.environments import Environment, EnvironmentList, Package
    from jupyter_mlinfn.workbench import Workbench

PATIENCE = 60.0
"""Seconds for measuring: 18,000 files take about two on a local disk."""
KINDS = {"own": "yours", "managed": "managed", "found": "found"}


@click.command("list")
@click.option("--sizes", is_flag=True, help="Measure sizes and file counts first.")
@json_option
def list_environments(sizes: bool, as_json: bool) -> None:
    """Your environments, managed ones, and those found on this machine.

    Sizes and file counts of found ones are those measured last, here or by the Environments
    panel.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, show

    bench = open_bench()
    found = measured(bench) if sizes else bench.catalogue.list(measure=False)
    if as_json:
        emit(found)
    elif found.environments:
        show(environments_table(found.environments))
    else:
        answer("No environment was found. Make one: mlinfn env create NAME python ipykernel")


def measured(bench: Workbench) -> EnvironmentList:
    """The catalogue once everything is measured, or as far as it is after :data:`PATIENCE`.

    The worker is shared with the panels and ends by itself.
    """
    end = time.monotonic() + PATIENCE
    while (found := bench.catalogue.list()).measuring and time.monotonic() < end:
        time.sleep(0.2)
    return found


def environments_table(environments: Sequence[Environment]) -> Table:
    """One row an environment: yours first, then managed ones, then those found."""
    from jupyter_mlinfn.cli.terminal import inert, table
    from jupyter_mlinfn.model.quantities import show_memory

    made = table(
        ("NAME", "KIND", "PYTHON", "PACKAGES", "SIZE", "FILES", "KERNEL", "STATE", "WHERE"),
        right=("PACKAGES", "SIZE", "FILES"),
    )
    order = list(KINDS)
    for item in sorted(environments, key=lambda row: order.index(row.kind)):
        made.add_row(
            inert(item.name),
            KINDS[item.kind],
            inert(item.python or item.language or "–"),
            str(item.packages) if item.packages is not None else "–",
            show_memory(item.size) if item.size is not None else "–",
            f"{item.files:,}" if item.files is not None else "–",
            inert(", ".join(item.kernels) or "–"),
            state_words(item),
            inert(item.problem or item.prefix or item.source),
        )
    return made


def state_words(item: Environment) -> str:
    """``locked, packed``; where CUDA does not fit this machine's driver, that."""
    words = []
    if item.digest:
        words.append("locked")
    elif item.inventoried and item.kind == "managed":
        words.append("inventoried, not locked")
    if item.packed:
        words.append("packed")
    if item.cuda is not None and item.cuda.state != "compatible":
        words.append("CUDA does not fit" if item.cuda.state == "not-compatible" else "CUDA unknown")
    return ", ".join(words) or "–"


@click.command("show")
@click.argument("name")
@json_option
def show_environment(name: str, as_json: bool) -> None:
    """All that is known of the environment NAME, NAME@DIGEST, or of what kernel NAME runs in."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.environments.describing import describe

    bench = open_bench()
    details = describe(bench.own, bench.catalogue, bench.environments, name)
    if as_json:
        emit({"name": details.environment.name, **details.model_dump(mode="json")})
    else:
        show_details(details)


def show_details(details: EnvironmentDetails) -> None:
    """The facts of an environment, then its packages."""
    from jupyter_mlinfn.cli.terminal import answer, inert

    for title, fact in facts(details):
        answer(f"{title:<10}{inert(fact)}")
    if details.packages:
        answer("")
        show_packages(details.packages)


def show_packages(packages: Sequence[Package]) -> None:
    """One row a package."""
    from jupyter_mlinfn.cli.terminal import inert, show, table

    rows = table(("PACKAGE", "VERSION", "BUILD", "FROM"))
    for package in packages:
        build = inert(package.build or "–")
        rows.add_row(inert(package.name), inert(package.version), build, package.source)
    show(rows)


def facts(details: EnvironmentDetails) -> Iterator[tuple[str, str]]:
    """What is known, each with its title; what is not known is left out."""
    from jupyter_mlinfn.cli.env_words import users
    from jupyter_mlinfn.cli.records import clock
    from jupyter_mlinfn.model.quantities import show_count, show_memory

    row = details.environment
    yield "Name", f"{row.name} ({KINDS[row.kind]})"
    yield "Language", f"{row.language} {row.python or ''}".strip()
    command = details.command
    if kernels := row.kernels or ((details.kernel,) if details.kernel else ()):
        title = f" ({command.display_name})" if command else ""
        yield "Kernel", ", ".join(kernels) + title
    elif row.kind == "own":
        yield "Kernel", f"none: mlinfn env kernel {row.name}"
    if command is not None:
        yield "Program", command.argv[0] if command.argv else "–"
    yield "Prefix", row.prefix or "–"
    yield "Digest", digest_words(details)
    if row.size is not None and row.files is not None:
        yield "Size", f"{show_memory(row.size)} in {show_count(row.files, 'file')}"
    if row.cuda is not None:
        yield "CUDA", row.cuda.text
    if details.made_at is not None:
        by = f" by {details.made_by}" if details.made_by else ""
        yield "Made", f"{clock(details.made_at)}{by}"
    if details.origin:
        yield "Clone of", details.origin
    if details.channels:
        yield "Channels", ", ".join(details.channels)
    for image in details.images:
        below = f", a layer over {image.base.path}" if image.base else ""
        yield "Image", f"{image.path} ({image.format}, {show_memory(image.size)}{below})"
    if details.used_by:
        yield "Used by", users(details.used_by)
    if row.problem:
        yield "Problem", row.problem


def digest_words(details: EnvironmentDetails) -> str:
    """The digest, and whether it is that of a lock."""
    if details.digest is None:
        return "none: its packages cannot be listed"
    kind = "locked" if details.locked else "inventoried, not locked"
    return f"{details.digest} ({kind})"
