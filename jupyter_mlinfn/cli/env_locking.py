"""``mlinfn env lock``: the lock of an environment, for other platforms, or of what is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.env_carrying import Steps, asked, need_consent

if TYPE_CHECKING:
    from jupyter_mlinfn.model.environment_tasks import Task
    from jupyter_mlinfn.model.environments import Mismatch, Remedy
    from jupyter_mlinfn.workbench import Workbench


@click.command()
@click.argument("name")
@click.option(
    "--platform", "platforms", multiple=True, metavar="P", help="Such as linux-64. Repeat for more."
)
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write it to a new file.")
@click.option("--now", is_flag=True, help="Make what is installed now a new locked state.")
@click.option("--put-back", is_flag=True, help="With --now: put edited files aside, locked back.")
@click.option("--dry-run", is_flag=True, help="With --now: say what would change; change nothing.")
@click.option("--yes", is_flag=True, help="With --now: do it without a question.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def lock(
    name: str,
    platforms: tuple[str, ...],
    output: str | None,
    now: bool,
    put_back: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """The conda-lock.yml of the environment NAME, as it is installed.

    With --platform what was asked for is solved for each of them. With --now packages that pip
    or conda put there since are locked: a new state, which can be undone.
    """
    from jupyter_mlinfn.cli.env_files import check_free, hand_over
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.environments.own.exporting import export_file

    if now and (platforms or output):
        raise click.UsageError("--now locks what is installed here; leave --platform and -o out.")
    if (put_back or dry_run or yes) and not now:
        raise click.UsageError("--put-back, --dry-run and --yes belong to --now.")
    bench = open_bench()
    if now:
        steps = Steps(bench, dry_run=dry_run, yes=yes, as_json=as_json)
        return lock_now(steps, name, put_back=put_back)
    check_free(output)
    if platforms:
        task = solve_for(bench, name, platforms, as_json=as_json)
        if task.state != "succeeded":
            return Steps(bench, dry_run=False, yes=True, as_json=as_json).end(task)
    made = export_file(bench.own, name, "platforms" if platforms else "conda-lock.yml")
    hand_over(made, output, as_json=as_json)
    return 0


def solve_for(bench: Workbench, name: str, platforms: tuple[str, ...], *, as_json: bool) -> Task:
    """The task that locks ``name`` for ``platforms``; how it ended is said, not answered."""
    from jupyter_mlinfn.cli.env_following import carry
    from jupyter_mlinfn.cli.env_words import tell_end
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.cli.terminal import inert, say
    from jupyter_mlinfn.environments.own.asking import check_request
    from jupyter_mlinfn.model.environment_tasks import LockPlatforms

    request = validated(LockPlatforms, name=name, platforms=platforms)
    check_request(request, bench.policy())
    task = carry(bench.tasks, request)
    if task.state == "succeeded" and task.result is not None:
        say(inert(task.result.text))
    else:
        tell_end(task)
    return task


def lock_now(steps: Steps, name: str, *, put_back: bool) -> int:
    """Lock what is installed; the exit code."""
    from jupyter_mlinfn.cli.terminal import answer, emit, inert, say

    need_consent(yes=steps.yes or steps.dry_run)
    found = mismatch_of(steps.bench, name)
    remedy = found.remedy if found else None
    if found is None or remedy is None:
        return nothing_to_do(found, name, as_json=steps.as_json)
    if steps.dry_run and steps.as_json:
        emit(found)
        return 0
    (answer if steps.dry_run else say)(inert(remedy.text))
    check_allowed(remedy, lock=True, put_back=put_back)
    if steps.dry_run or not (steps.yes or asked("Do it?")):
        return 0 if steps.dry_run else 1
    return steps.end(steps.do(remedy.request))


def mismatch_of(bench: Workbench, name: str) -> Mismatch | None:
    """How the own environment ``name`` differs from its lock. Raises :class:`NotFound`."""
    bench.own.state(name)
    return bench.environments.changed(bench.environments.resolve(name))


def nothing_to_do(found: Mismatch | None, name: str, *, as_json: bool) -> int:
    """It is as locked, or it differs in a way that nothing here can mend."""
    from jupyter_mlinfn.cli.terminal import answer, emit, inert
    from jupyter_mlinfn.model.errors import Conflict

    if found is not None:
        raise Conflict(f"'{name}' cannot be locked as it is. {found.text}", code="not-lockable")
    if as_json:
        emit({"changed": False, "name": name})
    else:
        answer(inert(f"'{name}' is what its lock says. Nothing to lock."))
    return 0


def check_allowed(remedy: Remedy, *, lock: bool, put_back: bool) -> None:
    """Raises :class:`Refused` when ``remedy`` does more than was asked for."""
    from jupyter_mlinfn.model.errors import Refused

    missing = [
        flag
        for flag, needed, given in (
            ("--lock-now", remedy.kind in ("lock", "both"), lock),
            ("--put-back", remedy.kind in ("put-back", "both"), put_back),
        )
        if needed and not given
    ]
    if missing:
        raise Refused(
            f"{remedy.text} Nothing was changed.",
            code="environment-mismatch",
            field="environment",
            hint=f"To do so, add {' '.join(missing)}.",
        )


def make_usable(
    bench: Workbench, remedy: Remedy, *, lock: bool, put_back: bool, as_json: bool
) -> int:
    """Carry the remedy out before a job is submitted; 0 when the job can be."""
    from jupyter_mlinfn.cli.env_following import carry, exit_code
    from jupyter_mlinfn.cli.env_words import tell_problems
    from jupyter_mlinfn.cli.terminal import emit, inert, say

    check_allowed(remedy, lock=lock, put_back=put_back)
    say(inert(remedy.text))
    task = carry(bench.tasks, remedy.request)
    if task.result is not None:
        say(inert(task.result.text))
    if task.state == "succeeded":
        return 0
    tell_problems(task)
    say("The job was not submitted.")
    if as_json:
        emit(task)
    return exit_code(task)
