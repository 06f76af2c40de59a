"""The ``mlinfn`` program: the table of verbs, and the one place where errors become exit codes.

Exit codes: 0 done; 1 the job or a check failed, or it cannot be done in the present state;
2 bad usage or input; 3 a needed part is missing or silent; 4 refused; 130 interrupted.

Only click is imported to show help; a verb's module, and with it the rest of the package, is
imported when the verb is run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.lazy import LazyGroup, Verb

if TYPE_CHECKING:
    from jupyter_mlinfn.model.errors import MlinfnError

INTERRUPTED = 130

VERBS = {
    "submit": Verb("submit:submit", "Run a notebook or a script as a job."),
    "jobs": Verb("jobs:jobs", "List your jobs, newest first."),
    "job": Verb("job:job", "Look at one job, cancel it, run it again, delete it."),
    "gpus": Verb("gpus:gpus", "Show the GPUs, how busy they are and who holds them."),
    "env": Verb("env:env", "Make, change, pack and share environments."),
    "areas": Verb("storage:areas", "Show where your files lie, who sees them, how full it is."),
    "backups": Verb("backups:backups", "Look at the dated copies of an area, and make them."),
    "restore": Verb("backups:restore", "Bring a file or folder back out of a backup."),
    "hub": Verb("hub:hub", "Check and compare the profiles.toml of a JupyterHub."),
    "doctor": Verb("doctor:doctor", "Show what this machine offers, what is missing, what to do."),
    "local-dispatcher": Verb("dispatcher:dispatcher", "Start waiting jobs.", hidden=True),
}


@click.group(
    name="mlinfn",
    cls=LazyGroup,
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="'mlinfn VERB --help' says more. With --json, standard output is one JSON document.",
)
@click.version_option(
    package_name="jupyter_mlinfn", prog_name="mlinfn", message="%(prog)s %(version)s"
)
def mlinfn() -> None:
    """Run notebooks as jobs, and see the GPUs and environments of this machine."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with ``argv`` (default: the command line) and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = wants_json(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A job's name may hold what the terminal's encoding cannot show.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        result = mlinfn.main(arguments, prog_name="mlinfn", standalone_mode=False)
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        return usage_failed(error, as_json=as_json)
    except BrokenPipeError:
        return reader_left()
    except Exception as error:
        return failed(error, as_json=as_json)
    return result if isinstance(result, int) else 0


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` was given, also when the line cannot be parsed any further."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def usage_failed(error: click.ClickException, *, as_json: bool) -> int:
    """Say what is wrong with the command line; exit code 2."""
    error.show(sys.stderr)
    if as_json:
        from jupyter_mlinfn.cli.terminal import emit

        emit({"error": {"code": "usage", "text": error.format_message(), "problems": []}})
    return 2


def failed(error: Exception, *, as_json: bool) -> int:
    """Say what went wrong; the exit code is the error's own, 1 for an error of ours."""
    from jupyter_mlinfn.cli.crash import expected

    known = expected(error)
    show_error(known, as_json=as_json)
    return known.exit_code


def show_error(error: MlinfnError, *, as_json: bool) -> None:
    """Tell people on standard error and, with ``--json``, programs on standard output."""
    from jupyter_mlinfn.cli.terminal import emit, say_error

    say_error(error)
    if as_json:
        problems = [problem.model_dump(mode="json") for problem in error.problems]
        emit({"error": {"code": error.code, "text": error.text, "problems": problems}})


def reader_left() -> int:
    """The reader of our output has gone (``mlinfn jobs | head``): end without a complaint."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
