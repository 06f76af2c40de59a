"""Options that several verbs take, and quantities as people type them.

Quantities are judged by the one parser of the house, ``model.quantities``, imported when a value
is there to be judged. Its :class:`InputError` ends the program with exit code 2. click's own
integers would accept ``１`` and ``1_000``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

RESOURCES = ("cpus", "memory", "gpus", "gpu_memory", "gpu_model", "time")


def memory(text: str) -> int:
    """Bytes of ``8GiB`` or ``512M``."""
    from jupyter_mlinfn.model.quantities import parse_memory

    return parse_memory(text)


def duration(text: str) -> int:
    """Seconds of ``8h``, ``90min`` or ``01:30:00``."""
    from jupyter_mlinfn.model.quantities import parse_duration

    return parse_duration(text)


def count(field: str, least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers from ``least`` to ``most``; ``field`` names the input."""

    def number(text: str) -> int:
        from jupyter_mlinfn.model.quantities import parse_count

        return parse_count(str(text), field=field, least=least, most=most)

    return number


def json_option(function: F) -> F:
    """``--json``: the answer as one JSON document."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(
        function
    )


def parameter_option(function: F) -> F:
    """``-p NAME=VALUE``, repeatable."""
    return click.option(
        "-p",
        "--parameter",
        "parameters",
        metavar="NAME=VALUE",
        multiple=True,
        help="Give a parameter of the notebook a value. Repeat for more.",
    )(function)


def resource_options(function: F) -> F:
    """The options of :data:`RESOURCES`; ``None`` where not given."""
    cpus = count("cpus", 1, 4096)
    gpus = count("gpus", 0, 64)
    for decorate in (
        click.option("--time", metavar="TIME", type=duration, help="Longest run, such as 8h."),
        click.option("--gpu-model", metavar="NAME", help="Their model, such as A100 or T4."),
        click.option(
            "--gpu-memory",
            metavar="SIZE",
            type=memory,
            help="Memory each has at least, such as 10GiB: the smallest slice or GPU with it.",
        ),
        click.option("--gpus", metavar="N", type=gpus, help="Number of GPUs or MIG slices."),
        click.option("--memory", metavar="SIZE", type=memory, help="Memory, such as 8GiB."),
        click.option("--cpus", metavar="N", type=cpus, help="Number of CPUs."),
    ):
        function = decorate(function)
    return function


def seed_option(function: F) -> F:
    """``--seed``; ``None`` where not given."""
    seed = count("seed", 0, 2**32 - 1)
    return click.option(
        "--seed", metavar="N", type=seed, help="Told to the job as MLINFN_SEED; fixes hashes too."
    )(function)


def after_options(function: F) -> F:
    """``--after`` and ``--after-ok``, both repeatable."""
    for decorate in (
        click.option(
            "--after-ok",
            "after_ok",
            metavar="JOB",
            multiple=True,
            help="Start when this job has succeeded; never when it did not. Repeat.",
        ),
        click.option(
            "--after", metavar="JOB", multiple=True, help="Start when this job has ended. Repeat."
        ),
    ):
        function = decorate(function)
    return function


def beside_options(function: F) -> F:
    """``--notify`` and ``--secret``, both repeatable."""
    for decorate in (
        click.option(
            "--secret",
            "secrets",
            metavar="NAME",
            multiple=True,
            help="Give it this secret of your settings, as a file. Repeat.",
        ),
        click.option(
            "--notify",
            metavar="lab|mail|URL",
            multiple=True,
            help="Tell of its end in JupyterLab, by e-mail or to a web address. Repeat.",
        ),
    ):
        function = decorate(function)
    return function


def place_options(function: F) -> F:
    """``--backend``, ``--queue``, ``--charge``; ``None`` where not given."""
    for decorate in (
        click.option("--charge", metavar="GROUP", help="Group or account that pays."),
        click.option("--queue", metavar="NAME", help="Queue there; else its default."),
        click.option(
            "--backend",
            metavar="NAME",
            help="Where it runs, such as local or slurm; else auto: where it starts first. "
            "'mlinfn doctor' shows what is here.",
        ),
    ):
        function = decorate(function)
    return function


def read_parameters(given: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` texts by name. Raises :class:`InputError` with all problems at once."""
    from jupyter_mlinfn.model.errors import InputError, Problem
    from jupyter_mlinfn.model.jobs import PARAMETER_NAME

    found: dict[str, str] = {}
    problems: list[Problem] = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            wrong = f"'{text[:80]}' is no parameter. Write -p NAME=VALUE."
        elif not PARAMETER_NAME.fullmatch(name):
            wrong = f"'{name[:80]}' cannot be a parameter's name: use letters, digits and _."
        elif name in found:
            wrong = f"The parameter '{name}' is given twice. Give it once."
        else:
            found[name] = value
            continue
        problems.append(Problem(code="bad-parameter", text=wrong, field="parameters"))
    if problems:
        text = problems[0].text if len(problems) == 1 else "Some parameters cannot be used."
        raise InputError(text, code="bad-parameter", problems=problems)
    return found
