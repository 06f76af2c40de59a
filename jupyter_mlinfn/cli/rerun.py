"""``mlinfn job rerun``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from jupyter_mlinfn.cli.diff import SHARED
from jupyter_mlinfn.cli.options import (
    RESOURCES,
    json_option,
    parameter_option,
    place_options,
    read_parameters,
    resource_options,
    seed_option,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

    from jupyter_mlinfn.model.jobs import JobSpec, Parameter, RerunRequest
    from jupyter_mlinfn.workbench import Workbench


_PLAIN = ("points", "backend", "queue", "charge", "seed", "exact", "from_checkpoint")


@click.command()
@click.argument("job")
@parameter_option
@click.option("--env", "environment", metavar="NAME", help="Another kernel to run in.")
@click.option(
    "--exact",
    is_flag=True,
    help="The same code, environment and inputs, or a refusal that says what differs.",
)
@click.option(
    "--continue",
    "from_checkpoint",
    is_flag=True,
    help="Begin with a copy of the checkpoints that the job left.",
)
@click.option(
    "--failed",
    "points",
    flag_value="failed",
    default=None,
    help="Of a sweep, only the points that did not succeed.",
)
@click.option(
    "--into",
    metavar="FOLDER",
    help="Of a shared job: where its code goes (default: shared/<name>-<id>).",
)
@click.option(
    "--other-environment",
    is_flag=True,
    help="Of a shared job: also where your environment is not the recorded one.",
)
@seed_option
@resource_options
@place_options
@click.option("--wait", is_flag=True, help="Wait for the end; exit code 1 when the job fails.")
@json_option
def rerun(job: str, as_json: bool, wait: bool, **options: Any) -> int:
    """Run a job again: the code that it captured, and what is not given as it was."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, inert, say

    bench = open_bench()
    if job.startswith(SHARED):
        from jupyter_mlinfn.cli.sharing import rerun_shared

        new = rerun_shared(bench, job.removeprefix(SHARED), options)
    else:
        check_own(options)
        old = bench.store.get(job)
        new = bench.submission.rerun(old.id, changes(bench, old.id, options))
    say(f"Submitted {inert(new.name)} again as job {new.id}.")
    if wait:
        from jupyter_mlinfn.cli.waiting import wait_and_tell

        code = wait_and_tell(bench, new, as_json=as_json)
        if options["exact"]:
            tell_verdict(bench, new.id)
        return code
    if as_json:
        emit(new)
    else:
        answer(f"Follow it: mlinfn job log -f {new.id}")
    return 0


def check_own(options: dict[str, Any]) -> None:
    """Refuse what only means something for a shared job. Raises :class:`click.UsageError`."""
    if options["into"] or options["other_environment"]:
        raise click.UsageError(
            "--into and --other-environment are for shared jobs: mlinfn job rerun shared:ID."
        )


def tell_verdict(bench: Workbench, job: str) -> None:
    """Say whether an exact rerun gave the same outputs, where that is known."""
    from jupyter_mlinfn.cli.terminal import inert, say

    verdict = bench.actions.details(job).verdict
    if verdict is not None:
        say(inert(verdict.text))
        say(f"Compare them: mlinfn job diff {verdict.first} {job}")


def changes(bench: Workbench, job: str, options: dict[str, Any]) -> RerunRequest:
    """What differs from the recorded request; one changed number keeps the others."""
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.jobs.amending import request_now
    from jupyter_mlinfn.model.jobs import RerunRequest

    before = request_now(bench.folders, job)
    given = {key: options[key] for key in RESOURCES}
    asked = {key: value for key, value in given.items() if value is not None}
    return validated(
        RerunRequest,
        parameters=changed_parameters(bench, job, read_parameters(options["parameters"])),
        environment=options["environment"],
        resources={**before.resources.model_dump(), **asked} if asked else None,
        **{key: options[key] for key in _PLAIN},
    )


def changed_parameters(
    bench: Workbench, job: str, raw: dict[str, str]
) -> dict[str, JsonValue] | None:
    """The recorded values with the typed ones over them, in the types of the captured notebook."""
    from jupyter_mlinfn.jobs.parameters import coerce

    if not raw:
        return None
    spec = bench.folders.read_spec(job)
    kinds = {parameter.name: parameter for parameter in captured_parameters(bench, spec)}
    typed = {name: coerce(text, kinds.get(name), name=name) for name, text in raw.items()}
    return {**spec.parameters, **typed}


def captured_parameters(bench: Workbench, spec: JobSpec) -> tuple[Parameter, ...]:
    """The parameters of the notebook as the job captured it; none of a script."""
    from jupyter_mlinfn.jobs.parameter_cell import read_parameters
    from jupyter_mlinfn.jobs.sources import parse_notebook

    path = bench.folders.bundle(spec.id) / "notebook.ipynb"
    if not path.is_file():
        return ()
    notebook, _ = parse_notebook(path.read_bytes(), path.name)
    return read_parameters(notebook, spec.environment.kernel.language) or ()
