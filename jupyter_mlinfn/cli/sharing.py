"""``mlinfn job share``, ``unshare`` and ``shared``; ``mlinfn jobs --shared``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jupyter_mlinfn.cli.options import RESOURCES, json_option, read_parameters

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import JobRecord, JobState
    from jupyter_mlinfn.model.sharing import SharedJob
    from jupyter_mlinfn.workbench import Workbench

_AREA = click.option(
    "--with", "area", metavar="AREA", help="The area, by its name; needed where there are several."
)
_CHANGED = (
    *("environment", "backend", "queue", "charge", "seed", "into", "other_environment"),
    "points",
)


@click.command()
@click.argument("job")
@_AREA
@json_option
def share(job: str, area: str | None, as_json: bool) -> None:
    """Let colleagues see an ended job: a read-only copy of its record, code, log and outputs.

    No secret and no token goes along. What you shared of it before is replaced.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, inert
    from jupyter_mlinfn.model.quantities import show_memory

    bench = open_bench()
    bench.reconciler.run_once()
    found = bench.sharing.share(bench.store.get(job).id, area)
    if as_json:
        emit(found)
        return
    size = show_memory(found.size)
    answer(f"{inert(found.name)} is shared in {inert(found.area)} ({size}): {inert(found.path)}")
    answer(f"Others see it with 'mlinfn jobs --shared'. Take it back: mlinfn job unshare {job}")


@click.command()
@click.argument("job")
@_AREA
@json_option
def unshare(job: str, area: str | None, as_json: bool) -> None:
    """Take a shared copy of a job away again; from all areas where none is named."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, inert

    bench = open_bench()
    where = bench.sharing.unshare(bench.store.get(job).id, area)
    if as_json:
        emit({"areas": [one.name for one in where]})
    else:
        answer(f"It is not shared any more in {inert(', '.join(one.name for one in where))}.")


@click.command()
@click.argument("job", metavar="SHARED")
@click.option("--log", "show_log", is_flag=True, help="Print its log.")
@click.option(
    "--point",
    metavar="K",
    type=click.IntRange(0, 9999),
    help="Print the log of this point of a sweep.",
)
@json_option
def shared(job: str, show_log: bool, point: int | None, as_json: bool) -> None:
    """Look at a job that somebody shares. SHARED is its id, or AREA/ID."""
    from jupyter_mlinfn.cli.look import show_details
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, calm, emit, inert, say

    bench = open_bench()
    look = bench.sharing.look(job.removeprefix("shared:"))
    if show_log or point is not None:
        start = 0
        while (chunk := look.log(start, point=point)).text:
            click.echo(calm(chunk.text), nl=False)
            start = chunk.next
        return
    told = bench.sharing.details(f"{look.found.area.name}/{look.found.path.name}")
    if as_json:
        emit(told)
        return
    answer(f"Shared by {inert(told.shared.owner)} in {inert(told.shared.path)}")
    show_details(told.details)
    for note in told.notes:
        say(inert(note))
    if told.shared.sweep is not None:
        answer(f"Its points: mlinfn job points shared:{told.shared.id}")
    answer(f"Run it as yours: mlinfn job rerun shared:{told.shared.id}")


def list_shared(
    *, states: Sequence[JobState], search: str | None, limit: int, as_json: bool
) -> None:
    """What is shared, newest first."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, inert, say, show

    found = open_bench().sharing.listed()
    jobs = [one for one in found.jobs if _fits(one, states, search)][:limit]
    if as_json:
        emit(found.model_copy(update={"jobs": tuple(jobs)}))
        return
    if jobs:
        show(_table(jobs))
    elif found.areas:
        answer("Nothing fits." if states or search else "Nobody shares a job here yet.")
    else:
        answer("No area is set up for shared jobs: the setting 'shared_jobs' names them.")
    for problem in found.problems:
        say(inert(problem.text))


def rerun_shared(bench: Workbench, name: str, options: dict[str, Any]) -> JobRecord:
    """Run a shared job as one's own. Raises what the sharing raises."""
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.model.sharing import SharedRerun

    for flag in ("exact", "from_checkpoint"):
        if options[flag]:
            raise click.UsageError("A shared job can only be run from its start, and as yours.")
    spec = bench.sharing.look(name).found.note.details.spec
    asked = {key: options[key] for key in RESOURCES if options[key] is not None}
    typed = read_parameters(options["parameters"])
    given = {key: options[key] for key in _CHANGED}
    if given["into"]:
        given["into"] = str(Path(given["into"]).absolute())
    changes = validated(
        SharedRerun,
        parameters={**spec.parameters, **_typed(bench, name, typed)} if typed else None,
        resources={**spec.resources.model_dump(), **asked} if asked else None,
        **given,
    )
    return bench.sharing.rerun(name, changes, Path.cwd())


def _typed(bench: Workbench, name: str, raw: dict[str, str]) -> dict[str, Any]:
    """What was typed, in the types of the shared notebook's own values."""
    from jupyter_mlinfn.jobs.parameter_cell import read_parameters as of_cell
    from jupyter_mlinfn.jobs.parameters import coerce
    from jupyter_mlinfn.jobs.sources import parse_notebook

    look = bench.sharing.look(name)
    spec = look.found.note.details.spec
    path = look.folders.bundle(spec.id) / "notebook.ipynb"
    known = {}
    if path.is_file():
        notebook, _ = parse_notebook(path.read_bytes(), path.name)
        found = of_cell(notebook, spec.environment.kernel.language) or ()
        known = {one.name: one for one in found}
    return {key: coerce(text, known.get(key), name=key) for key, text in raw.items()}


def _fits(one: SharedJob, states: Sequence[JobState], search: str | None) -> bool:
    words = f"{one.id} {one.name} {one.owner} {one.area} {_parameters(one)}".casefold()
    wanted = (search or "").casefold().split()
    return (not states or one.state in states) and all(word in words for word in wanted)


def _table(jobs: Sequence[SharedJob]) -> Any:
    from jupyter_mlinfn.cli.records import ago
    from jupyter_mlinfn.cli.terminal import inert, table

    made = table(("JOB", "NAME", "STATE", "WHOSE", "AREA", "SHARED", "PARAMETERS"))
    for one in jobs:
        facts = (one.id, one.name, one.state, one.owner, one.area, ago(one.shared_at))
        made.add_row(*map(inert, (*facts, _parameters(one))))
    return made


def _parameters(one: SharedJob) -> str:
    return ", ".join(f"{name}={value}" for name, value in one.parameters.items())
