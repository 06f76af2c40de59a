"""``mlinfn env export`` and ``diff``: environments as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.locks.document import Lock
    from jupyter_mlinfn.model.environment_answers import ExportedFile, ExportForm
    from jupyter_mlinfn.workbench import Workbench

FORMS = ("environment.yml", "conda-lock.yml", "explicit", "platforms")


@click.command()
@click.argument("name")
@click.option(
    "--form", type=click.Choice(FORMS), default="environment.yml", help="Which file to write."
)
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write it to a new file.")
@json_option
def export(name: str, form: ExportForm, output: str | None, as_json: bool) -> None:
    """Write the environment NAME, or NAME@DIGEST, as a file for other programs."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.environments.own.exporting import export_file

    check_free(output)
    hand_over(export_file(open_bench().own, name, form), output, as_json=as_json)


def check_free(output: str | None) -> None:
    """Raises :class:`Conflict` (``file-exists``): a file that is there is never written over."""
    from jupyter_mlinfn.model.errors import Conflict

    if output is not None and Path(output).exists():
        raise Conflict(
            f"There is a file {output} already. It was left as it is.",
            code="file-exists",
            field="output",
            hint="Choose another name, or remove it first.",
        )


def hand_over(made: ExportedFile, output: str | None, *, as_json: bool) -> None:
    """The file's text to standard output, or into ``output``."""
    from jupyter_mlinfn.cli.terminal import answer, emit, inert
    from jupyter_mlinfn.model.errors import Unavailable

    if output is not None:
        try:
            with Path(output).open("x", encoding="utf-8") as file:
                file.write(made.text)
        except OSError as error:
            raise Unavailable(
                f"{output} cannot be written: {error.strerror}.", code="disk", field="output"
            ) from error
    if as_json:
        emit({**made.model_dump(mode="json"), "path": output})
    elif output is not None:
        answer(f"Written: {inert(output)}")
    else:
        answer(made.text.rstrip("\n"))


@click.command()
@click.argument("left")
@click.argument("right")
@json_option
def diff(left: str, right: str, as_json: bool) -> int:
    """What is other in RIGHT than in LEFT; exit code 1 when something is.

    Each is an environment, NAME@DIGEST, or a lock file.
    """
    from jupyter_mlinfn.cli.env_words import is_empty, show_change
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.environments.own.exporting import compare_locks

    bench = open_bench()
    found = compare_locks(left, lock_of(bench, left), right, lock_of(bench, right))
    if as_json:
        emit(found)
    else:
        show_change(found.change)
    return 0 if is_empty(found.change) else 1


def lock_of(bench: Workbench, word: str) -> Lock:
    """The lock of an environment, or in a file: what looks like a path is one."""
    from jupyter_mlinfn.cli.env_making import text_of
    from jupyter_mlinfn.environments.locks.document import Lock
    from jupyter_mlinfn.environments.locks.wishes import read_wish
    from jupyter_mlinfn.model.errors import InputError

    path = Path(word)
    if not ("/" in word or path.suffix in (".yml", ".yaml", ".txt", ".lock")):
        return bench.own.lock(word)
    read = read_wish(text_of(path), path.name)
    if isinstance(read, Lock):
        return read
    raise InputError(
        f"{word} is no lock: it says what is wished, not which packages were chosen.",
        code="not-a-lock",
        hint="Give a conda-lock.yml or a list of addresses, or make an environment from it first.",
    )
