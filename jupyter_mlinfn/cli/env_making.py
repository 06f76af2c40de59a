"""``mlinfn env create`` and ``mlinfn env clone``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.env_carrying import Steps, carrying_options

if TYPE_CHECKING:
    from jupyter_mlinfn.workbench import Workbench

LARGEST = 8 * 2**20


@click.command()
@click.argument("name")
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option(
    "--file",
    "source",
    type=click.Path(),
    metavar="FILE",
    help="environment.yml, conda-lock.yml, requirements.txt or a list of addresses.",
)
@click.option("--pip", multiple=True, metavar="REQ", help="A package of PyPI. Repeat for more.")
@click.option(
    "--channel", "-c", "channels", multiple=True, metavar="C", help="Instead of those set."
)
@carrying_options
def create(
    name: str,
    packages: tuple[str, ...],
    source: str | None,
    pip: tuple[str, ...],
    channels: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Make the environment NAME from packages, such as 'python=3.11' numpy, or from a file."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.model.environment_tasks import Create

    if not (packages or pip or source):
        raise click.UsageError("Say what to install: one or more packages, or --file.")
    text = None if source is None else text_of(Path(source))
    request = validated(
        Create,
        name=name,
        packages=packages,
        pip=pip,
        channels=channels,
        file_name=None if source is None else Path(source).name,
        file_text=text,
    )
    steps = Steps(open_bench(), dry_run=dry_run, yes=yes, as_json=as_json)
    return steps.end(steps.carry_out(request, f"Make '{name}'?"))


def text_of(path: Path) -> str:
    """The text of a file. Raises :class:`InputError` for what is no text or too long."""
    from jupyter_mlinfn.environments.reading import read_head
    from jupyter_mlinfn.model.errors import InputError

    try:
        content = read_head(path, LARGEST + 1)
        text = content.decode("utf-8")
    except OSError as error:
        wrong = f"{path} cannot be read: {error.strerror}."
        raise InputError(wrong, code="source-missing", field="file") from error
    except UnicodeDecodeError as error:
        wrong = f"{path} is not UTF-8 text."
        raise InputError(wrong, code="bad-encoding", field="file") from error
    if len(content) > LARGEST:
        wrong = f"{path} is longer than {LARGEST // 2**20} MiB."
        raise InputError(wrong, code="too-large", field="file")
    return text


@click.command()
@click.argument("source")
@click.argument("name")
@click.option("--add", multiple=True, metavar="PACKAGE", help="Add it then. Repeat for more.")
@click.option(
    "--mode",
    type=click.Choice(("auto", "files", "layer")),
    default="auto",
    help="files: with files of its own; layer: only what differs from SOURCE's packed file.",
)
@carrying_options
def clone(
    source: str,
    name: str,
    add: tuple[str, ...],
    mode: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Make your own environment NAME as a copy of SOURCE.

    SOURCE is an environment that 'mlinfn env list' shows, NAME@DIGEST, or the path of a conda
    environment. By default it has files of its own, unless this file system cannot share them and
    SOURCE is packed.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.model.environment_tasks import Alter, Clone

    bench = open_bench()
    steps = Steps(bench, dry_run=dry_run, yes=yes, as_json=as_json)
    request = validated(Clone, name=name, source=source_of(bench, source), mode=mode)
    then = f" and add {' '.join(add)}" if add else ""
    task = steps.carry_out(request, f"Clone '{source}' to '{name}'{then}?")
    if add and task.state == "succeeded" and not task.preview:
        task = steps.do(validated(Alter, name=name, add=add))
    return steps.end(task)


def source_of(bench: Workbench, text: str) -> str:
    """What the engine knows ``text`` by: a whole path, or a name; a found one by its prefix."""
    if "/" in text:
        return str(Path(text).expanduser().absolute())
    rows = bench.catalogue.list(measure=False).environments
    named = [row for row in rows if row.name == text or text in row.kernels]
    found = next((row.prefix for row in named if row.kind == "found" and row.prefix), None)
    ours = any(row.kind != "found" for row in named)
    return text if ours or found is None else found
