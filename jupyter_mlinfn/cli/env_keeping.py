"""``mlinfn env kernel``, ``pack``, ``share``, ``delete`` and ``gc``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.env_carrying import (
    Steps,
    asked,
    can_ask,
    carrying_options,
    need_consent,
)
from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from pydantic import BaseModel

    from jupyter_mlinfn.model.environment_answers import EnvironmentDetails
    from jupyter_mlinfn.model.environment_tasks import GcPlan


@click.command()
@click.argument("name")
@click.option("--remove", is_flag=True, help="Offer it no longer; the environment stays.")
@click.option("--image", is_flag=True, help="The kernel that runs out of the packed file.")
@json_option
def kernel(name: str, remove: bool, image: bool, as_json: bool) -> None:
    """Offer the environment NAME as a kernel of notebooks."""
    from jupyter_mlinfn.cli.opening import open_bench

    own = open_bench().own
    done = own.unregister(name, image=image) if remove else own.register(name, image=image)
    tell(done, done.text, as_json=as_json)


@click.command()
@click.argument("name")
@click.option(
    "--format",
    "form",
    type=click.Choice(("squashfs", "sif")),
    default="squashfs",
    help="squashfs (default), or sif for Apptainer.",
)
@click.option(
    "--over",
    metavar="BASE",
    help="Only what differs from a packed environment (NAME, NAME@DIGEST), or from an image file.",
)
@click.option(
    "--container",
    is_flag=True,
    help="With --format sif: a file that Apptainer runs by itself, over the root that is set here.",
)
@carrying_options
def pack(
    name: str,
    form: str,
    over: str | None,
    container: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Write the environment NAME as one file; the same lock gives the same file.

    With --over it is a layer: small, and it runs together with the file of BASE, which must stay.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.model.environment_tasks import Pack

    if over is not None and "/" in over:
        over = str(Path(over).expanduser().absolute())
    request = validated(Pack, name=name, format=form, over=over, container=container)
    steps = Steps(open_bench(), dry_run=dry_run, yes=yes, as_json=as_json)
    return steps.end(steps.carry_out(request, f"Pack '{name}'?"))


@click.command()
@click.argument("name")
@click.argument("folder", type=click.Path())
@click.option(
    "--pack/--no-pack",
    default=None,
    help="Write the packed file first where there is none, so that others can run it at once.",
)
@json_option
def share(name: str, folder: str, pack: bool | None, as_json: bool) -> int:
    """Copy the environment NAME to FOLDER, where others can read and clone it.

    Its packed file goes with it where there is one, and is asked for where there is none.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.requests import validated
    from jupyter_mlinfn.environments.own.asking import check_request
    from jupyter_mlinfn.environments.own.sharing import images_to_share
    from jupyter_mlinfn.model.environment_tasks import Share

    bench = open_bench()
    state = bench.own.state(name)
    where = str(Path(folder).expanduser().absolute())
    plain, at, digest = name.partition("@")
    request = validated(Share, name=plain, folder=where, digest=digest if at else None)
    check_request(request, bench.policy())
    if pack is None and state.current and not images_to_share(state) and can_ask():
        pack = asked("Pack it first, so that others can run it at once?", otherwise=None)
    steps = Steps(bench, dry_run=False, yes=True, as_json=as_json)
    return steps.end(steps.do(request.model_copy(update={"pack": bool(pack)})))


@click.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also when kernels or jobs use it.")
@click.option("--dry-run", is_flag=True, help="Show what would go; delete nothing.")
@click.option("--yes", is_flag=True, help="Delete it without a question.")
@json_option
def delete(name: str, force: bool, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Delete your environment NAME with all its states and its kernel; images stay.

    'mlinfn env gc' removes images and packages that nothing uses any more.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.environments.own.layout import check_name

    need_consent(yes=yes or dry_run)
    own = open_bench().own
    check_name(name)
    if not yes or dry_run:
        details = own.details(name)
        if dry_run and as_json:
            emit(details)
        else:
            show_what_goes(details)
        if dry_run or not asked(f"Delete '{name}'?"):
            return 0 if dry_run else 1
    done = own.delete(name, force=force)
    tell(done, done.text, as_json=as_json)
    return 0


def show_what_goes(details: EnvironmentDetails) -> None:
    """How much it is, and who uses it."""
    from jupyter_mlinfn.cli.env_words import users
    from jupyter_mlinfn.cli.terminal import answer, inert
    from jupyter_mlinfn.model.quantities import show_count, show_memory

    row = details.environment
    size = f"{show_memory(row.size)}, " if row.size is not None else ""
    files = f"{show_count(row.files, 'file')}, " if row.files is not None else ""
    answer(f"{inert(row.name)}: {size}{files}{show_count(len(details.history), 'state')}.")
    if details.used_by:
        answer(f"Used by {users(details.used_by)}.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would go; remove nothing.")
@click.option("--yes", is_flag=True, help="Remove it without a question.")
@json_option
def gc(dry_run: bool, yes: bool, as_json: bool) -> int:
    """Remove what no environment, kernel or job uses any more."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.model.environment_tasks import Collect

    need_consent(yes=yes or dry_run)
    bench = open_bench()
    if dry_run or not yes:
        plan = bench.own.collect(dry_run=True)
        if not as_json:
            show_plan(plan)
        if dry_run or not plan.items or not asked("Remove it?"):
            if as_json:
                emit(plan)
            return 0 if dry_run or not plan.items else 1
    steps = Steps(bench, dry_run=False, yes=True, as_json=as_json)
    done = steps.do(Collect())
    if not as_json and done.result is not None and done.result.freed is not None:
        show_plan(done.result.freed)
    return steps.end(done)


def show_plan(plan: GcPlan) -> None:
    """What goes or went, what stays and why."""
    from jupyter_mlinfn.cli.terminal import answer, inert, say, show, table
    from jupyter_mlinfn.model.quantities import show_count, show_memory

    if plan.items:
        made = table(("WHAT", "NAME", "SIZE", "FILES", "WHERE"), right=("SIZE", "FILES"))
        for item in plan.items:
            size, files = show_memory(item.size), f"{item.files:,}"
            made.add_row(item.kind, inert(item.name), size, files, inert(item.path))
        show(made)
    for kept in plan.kept:
        say(f"Stays: {inert(kept.name)}. {inert(kept.why)}")
    if not plan.items:
        answer("Nothing to remove: everything is used.")
        return
    verb = "Removed" if plan.done else "Would free"
    answer(f"{verb} {show_memory(plan.size)} in {show_count(plan.files, 'file')}.")


def tell(document: BaseModel, text: str, *, as_json: bool) -> None:
    """The document, or its sentence."""
    from jupyter_mlinfn.cli.terminal import answer, emit, inert

    if as_json:
        emit(document)
    else:
        answer(inert(text))
