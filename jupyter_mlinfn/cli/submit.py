"""``mlinfn submit``: a notebook, a script or one cell becomes a job."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jupyter_mlinfn.cli.options import (
    RESOURCES,
    after_options,
    beside_options,
    json_option,
    parameter_option,
    place_options,
    read_parameters,
    resource_options,
    seed_option,
)
from jupyter_mlinfn.cli.retrying import retry_options
from jupyter_mlinfn.cli.sweeps import point_lines, read_sweep, sweep_options

if TYPE_CHECKING:
    from jupyter_mlinfn.cli.server import Saved
    from jupyter_mlinfn.model.jobs import Draft, JobRecord, JobRequest
    from jupyter_mlinfn.workbench import Workbench

LARGEST_CELL = 10_000_000
START = 0.6
"""Seconds of a dry run that pass before a place is asked, and are not taken from its answer."""
LEAST_PATIENCE = 1.0
"""Seconds every batch system gets, however slowly this machine has started us."""


@click.command()
@click.argument("source", metavar="NOTEBOOK|SCRIPT.py", required=False)
@parameter_option
@click.option("--env", "environment", metavar="NAME", help="Kernel to run in; else its own.")
@resource_options
@seed_option
@click.option("--name", metavar="TEXT", help="Name of the job; else the file's name.")
@place_options
@after_options
@beside_options
@retry_options
@sweep_options
@click.option("--input", "inputs", metavar="PATH", multiple=True, help="A file it reads. Repeat.")
@click.option("--output", "outputs", metavar="GLOB", multiple=True, help="Files to keep. Repeat.")
@click.option("--evictable", is_flag=True, help="It may be stopped and started again.")
@click.option(
    "--offload", is_flag=True, help="It may run on machines elsewhere, which see no folder of here."
)
@click.option("--try-first", is_flag=True, help="Run for at most five minutes, as a test.")
@click.option(
    "--create-parameters-cell",
    is_flag=True,
    help="Put parameters into a new first cell when the notebook has none for them.",
)
@click.option(
    "--lock-now",
    is_flag=True,
    help="Where the environment was changed by hand, lock what is there now and submit.",
)
@click.option(
    "--put-back",
    is_flag=True,
    help="Where its files were edited, put the locked ones back (yours are kept) and submit.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would happen, or all that is wrong.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit code 1 when the job fails.")
@click.option("--nested", is_flag=True, help="Submit also from inside a job.")
@click.option("--from-kernel", metavar="ID", hidden=True)
@click.option("--cell", metavar="-", hidden=True)
@json_option
def submit(source: str | None, as_json: bool, **options: Any) -> int:
    """Run a notebook or a script as a job.

    \b
    mlinfn submit train.ipynb -p lr=0.01 -p epochs=20
    mlinfn submit train.ipynb --gpus 1 --memory 8GiB --time 8h --wait
    mlinfn submit train.ipynb --backend slurm --queue gpu --charge cms
    mlinfn submit train.ipynb --sweep lr=0.1,0.01 --sweep seed=0..99 --throttle 8
    """
    if (outer := os.environ.get("MLINFN_JOB")) and not options["nested"]:
        return skipped(outer, as_json=as_json)
    saved = find_source(source, options["from_kernel"])
    request = build_request(saved.path, options)
    from jupyter_mlinfn.cli.opening import open_bench

    bench = open_bench()
    if options["dry_run"]:
        return dry_run(bench, request, saved, as_json=as_json)
    if (options["lock_now"] or options["put_back"]) and (
        code := mend(
            bench,
            request,
            lock=options["lock_now"],
            put_back=options["put_back"],
            as_json=as_json,
        )
    ):
        return code
    record = bench.submission.submit(request)
    return submitted(bench, record, saved, wait=options["wait"], as_json=as_json)


def mend(
    bench: Workbench, request: JobRequest, *, lock: bool, put_back: bool, as_json: bool
) -> int:
    """Make an environment that was changed by hand usable again; 0 when the job may be submitted.

    Nothing is done where something else prevents the job: submitting tells that.
    """
    from jupyter_mlinfn.cli.env_locking import make_usable

    draft = bench.submission.draft(request)
    others = [one for one in draft.problems if one.code != "environment-mismatch"]
    if draft.remedy is None or others:
        return 0
    return make_usable(bench, draft.remedy, lock=lock, put_back=put_back, as_json=as_json)


def skipped(outer: str, *, as_json: bool) -> int:
    """A job's own notebook does not submit itself again: say so, and that this is right."""
    from jupyter_mlinfn.cli.terminal import emit, say

    text = f"Skipped inside a job ({outer}). Add --nested to submit from inside a job."
    if as_json:
        emit({"skipped": True, "reason": {"code": "inside-a-job", "text": text}})
    say(text)
    return 0


def find_source(source: str | None, kernel: str | None) -> Saved:
    """The file to submit, saved first where it is open in JupyterLab."""
    from jupyter_mlinfn.cli.server import notebook_of, save_notebook

    if source is not None:
        check_name(source)
        return save_notebook(Path(source))
    if kernel is not None:
        return notebook_of(kernel)
    raise click.UsageError("Say which notebook or script: mlinfn submit NOTEBOOK.ipynb")


def check_name(source: str) -> None:
    """Refuse a file name that no record could hold: one that is no UTF-8."""
    from jupyter_mlinfn.model.errors import InputError

    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "The name of this file is not valid UTF-8. Rename it.", code="bad-path", field="source"
        ) from error


def build_request(path: Path, options: dict[str, Any]) -> JobRequest:
    """What is asked for, from the options. Raises :class:`InputError`, all problems at once."""
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.model.jobs import JobRequest

    plain = (
        *("environment", "queue", "charge", "evictable", "try_first", "seed"),
        *("retries", "retry_on", "notify", "secrets", "offload"),
    )
    taken = {key: options[key] for key in (*plain, "create_parameters_cell")}
    resources = {key: options[key] for key in RESOURCES}
    return validated(
        JobRequest,
        source=str(path),
        name=options["name"] or None,
        raw_parameters=read_parameters(options["parameters"]),
        resources={key: value for key, value in resources.items() if value is not None},
        inputs=tuple(str(Path(name).absolute()) for name in options["inputs"]),
        outputs=options["outputs"],
        cell=read_cell(options["cell"]),
        backend=options["backend"] or "auto",
        sweep=read_sweep(options),
        after=full_ids(options["after"]),
        after_ok=full_ids(options["after_ok"]),
        **taken,
    )


def full_ids(jobs: Sequence[str]) -> tuple[str, ...]:
    """Ids of jobs as they were typed, the first letters of one being enough.

    Raises :class:`NotFound`, :class:`InputError`.
    """
    if not jobs:
        return ()
    from jupyter_mlinfn.cli.opening import open_bench

    store = open_bench().store
    return tuple(store.get(job).id for job in jobs)


def read_cell(where: str | None) -> str | None:
    """The source of a ``%%mlinfn submit`` cell, from standard input."""
    if where is None:
        return None
    if where != "-":
        raise click.UsageError("--cell reads standard input: write --cell -")
    return sys.stdin.read(LARGEST_CELL + 1)


def dry_run(bench: Workbench, request: JobRequest, saved: Saved, *, as_json: bool) -> int:
    """Say what would happen, or all that prevents it; nothing is submitted."""
    from jupyter_mlinfn.cli.requests import exit_code_of
    from jupyter_mlinfn.cli.terminal import emit, inert, say

    draft = bench.submission.draft(request, _patience(bench.settings.answer_seconds))
    if draft.ok:
        say(inert(saved.sentence()))
    if as_json:
        emit(draft)
    else:
        show_draft(draft, request)
    return 0 if draft.ok else exit_code_of(draft.problems)


def _patience(usual: float) -> float:
    """Seconds for all places to answer: people wait from the moment they pressed Enter."""
    from jupyter_mlinfn.process.identity import start_time

    ticks = start_time(os.getpid()) or 0
    running = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return min(usual, max(LEAST_PATIENCE, START + usual - running))


def show_draft(draft: Draft, request: JobRequest) -> None:
    """A draft in words."""
    from jupyter_mlinfn.cli.places import place_lines
    from jupyter_mlinfn.cli.terminal import answer, inert

    for problem in draft.problems:
        answer(inert(problem.text))
        if problem.hint:
            answer(f"  {inert(problem.hint)}")
    for line in (*(draft_lines(draft, request) if draft.ok else ()), *place_lines(draft)):
        answer(inert(line))
    answer("Nothing was submitted." if draft.ok else "It would not be submitted.")


def draft_lines(draft: Draft, request: JobRequest) -> Iterator[str]:
    """What would happen, one line each."""
    from jupyter_mlinfn.cli.records import asked_place, resources_words

    yield from draft.notes
    if draft.accepted:
        yield f"Parameters: {', '.join(f'{k}={v!r}' for k, v in draft.accepted.items())}"
    if draft.sweep:
        yield from point_lines(draft.sweep)
    if draft.environment:
        yield f"Environment: {draft.environment.name}"
    yield f"Asks for: {resources_words(draft.resources)}"
    if draft.backend != "local" or len(draft.places) > 1:
        yield f"Where: {asked_place(request, draft.backend)}"
    if draft.modules:
        yield f"Goes with it: {', '.join(draft.modules)}"
    if draft.output_folder:
        yield f"Output: {draft.output_folder}"
    if draft.forecast:
        yield draft.why or draft.forecast.text


def submitted(
    bench: Workbench, record: JobRecord, saved: Saved, *, wait: bool, as_json: bool
) -> int:
    """Tell of the new job, and wait for its end when asked to."""
    from jupyter_mlinfn.cli.terminal import emit, inert, say

    say(inert(saved.sentence()))
    many = f", a sweep of {record.sweep.points:,} points" if record.sweep else ""
    say(f"Submitted {inert(record.name)} as job {record.id}{many}.")
    if wait:
        from jupyter_mlinfn.cli.waiting import wait_and_tell

        return wait_and_tell(bench, record, as_json=as_json)
    if as_json:
        emit(record)
    else:
        tell_next(bench, record)
    return 0


def tell_next(bench: Workbench, record: JobRecord) -> None:
    """Where the output will be, and what to type next."""
    from jupyter_mlinfn.cli.records import LOCAL, place
    from jupyter_mlinfn.cli.terminal import answer, inert

    if record.reason:
        answer(f"It waits: {inert(record.reason.text)}")
    if record.backend != LOCAL:
        answer(f"Where: {inert(place(record))}")
    answer(f"Output: {inert(record.output_folder)}")
    if record.sweep:
        answer(f"Follow it: mlinfn job points {record.id}")
        return
    answer(f"Follow it: mlinfn job log -f {record.id}")
