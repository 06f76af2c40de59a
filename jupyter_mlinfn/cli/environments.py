"""``mlinfn env list`` and ``mlinfn env show``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from jupyter_mlinfn.model.environments import (
        Environment,
        EnvironmentList,
        EnvironmentRef,
        Package,
    )
    from jupyter_mlinfn.workbench import Workbench

PATIENCE = 60.0
"""Seconds for measuring: 18,000 files take about two on a local disk."""


@click.command("list")
@click.option("--sizes", is_flag=True, help="Measure sizes and file counts first.")
@json_option
def list_environments(sizes: bool, as_json: bool) -> None:
    """The environments found on this machine, with the kernels jobs can use.

    Sizes and file counts are those measured last, here or by the Environments panel.
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
        answer("No environment was found. Install a kernel: pip install ipykernel")


def measured(bench: Workbench) -> EnvironmentList:
    """The catalogue once everything is measured, or as far as it is after :data:`PATIENCE`.

    The worker is shared with the panels and ends by itself.
    """
    end = time.monotonic() + PATIENCE
    while (found := bench.catalogue.list()).measuring and time.monotonic() < end:
        time.sleep(0.2)
    return found


def environments_table(environments: Sequence[Environment]) -> Table:
    """One row an environment."""
    from jupyter_mlinfn.cli.terminal import inert, table
    from jupyter_mlinfn.model.quantities import show_memory

    made = table(
        ("KERNEL", "NAME", "LANGUAGE", "PACKAGES", "SIZE", "FILES", "WHERE"),
        right=("PACKAGES", "SIZE", "FILES"),
    )
    for item in environments:
        language = f"python {item.python}" if item.python else item.language
        made.add_row(
            inert(", ".join(item.kernels) or "–"),
            inert(item.name),
            inert(language),
            str(item.packages) if item.packages is not None else "–",
            show_memory(item.size) if item.size is not None else "–",
            str(item.files) if item.files is not None else "–",
            inert(item.problem or item.prefix or item.source),
        )
    return made


@click.command("show")
@click.argument("name")
@json_option
def show_environment(name: str, as_json: bool) -> None:
    """What kernel NAME would give a job: its program, digest and packages."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit

    environments = open_bench().environments
    ref = environments.resolve(name)
    packages = environments.packages(ref)
    if as_json:
        listed = [package.model_dump(mode="json") for package in packages]
        emit({**ref.model_dump(mode="json"), "packages": listed})
    else:
        show_reference(ref, packages)


def show_reference(ref: EnvironmentRef, packages: Sequence[Package]) -> None:
    """The facts of an environment, then its packages."""
    from jupyter_mlinfn.cli.terminal import answer, inert, show, table

    answer(f"Kernel    {inert(ref.name)} ({inert(ref.kernel.display_name)})")
    answer(f"Language  {inert(ref.kernel.language)}")
    answer(f"Program   {inert(ref.kernel.argv[0]) if ref.kernel.argv else '–'}")
    answer(f"Prefix    {inert(ref.prefix or '–')}")
    kind = "locked" if ref.locked else "inventoried, not locked"
    digest = f"{ref.digest} ({kind})" if ref.digest else "none: its packages cannot be listed"
    answer(f"Digest    {digest}")
    if packages:
        answer("")
        rows = table(("PACKAGE", "VERSION", "FROM"))
        for package in packages:
            rows.add_row(inert(package.name), inert(package.version), package.source)
        show(rows)
