"""``mlinfn backups …`` and ``mlinfn restore``: dated copies of an area, and what comes back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.lazy import LazyGroup, Verb
from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.storage import BackupEntry
    from jupyter_mlinfn.storage.backups.making import Made
    from jupyter_mlinfn.storage.overview import Storage

VERBS = {
    "list": Verb("backups:list_copies", "The copies of an area, newest first."),
    "show": Verb("backups:show_copy", "What lies in a copy, and what was deleted since."),
    "make": Verb("backups:make", "Make a copy now; for whoever keeps the backups."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def backups() -> None:
    """Look at the dated copies of an area, and make them.

    AREA is the name of one of your areas; 'mlinfn areas' lists them.
    """


@click.command()
@click.argument("area")
@json_option
def list_copies(area: str, as_json: bool) -> None:
    """List the copies of AREA, newest first."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, show, table
    from jupyter_mlinfn.model.quantities import show_memory

    found = open_bench().storage.backups(area)
    if as_json:
        emit(found)
        return
    if not found.copies:
        answer("No copy has been made yet.")
        return
    made = table(("COPY", "MADE AT", "FILES", "SIZE", "NEW"), right=("FILES", "SIZE", "NEW"))
    for copy in found.copies:
        made.add_row(
            copy.id,
            f"{copy.made_at.astimezone():%Y-%m-%d %H:%M}",
            str(copy.files),
            show_memory(copy.size),
            show_memory(copy.added),
        )
    show(made)


@click.command()
@click.argument("area")
@click.argument("path", default="")
@click.option("--copy", metavar="COPY", help="Which copy; the newest where not given.")
@click.option("--deleted", is_flag=True, help="What was deleted since, in all folders.")
@json_option
def show_copy(area: str, path: str, copy: str | None, deleted: bool, as_json: bool) -> None:
    """Show what lies in a copy of AREA, at PATH in it."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit

    if deleted and path:
        raise click.UsageError("--deleted looks in all folders: leave out PATH.")
    storage = open_bench().storage
    which = copy or newest(storage, area)
    if deleted:
        gone = storage.deleted(area, which)
        if as_json:
            emit(gone)
            return
        show_entries(gone.entries)
        if not gone.complete:
            answer("There is more: not everything was looked at.")
        return
    found = storage.browse(area, which, key_of_typed(path))
    if as_json:
        emit(found)
    else:
        show_entries(found.entries)


def show_entries(entries: tuple[BackupEntry, ...]) -> None:
    """One row a name; those that were deleted since say so."""
    from urllib.parse import unquote

    from jupyter_mlinfn.cli.terminal import answer, inert, show, table
    from jupyter_mlinfn.model.quantities import show_memory

    if not entries:
        answer("Nothing.")
        return
    made = table(("MODIFIED", "SIZE", "SINCE", "PATH"), right=("SIZE",))
    for one in entries:
        made.add_row(
            f"{one.modified.astimezone():%Y-%m-%d %H:%M}",
            one.kind if one.size is None else show_memory(one.size),
            "deleted" if one.deleted else "",
            inert(unquote(one.path, errors="replace")),
        )
    show(made)


@click.command()
@click.argument("source", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--to", metavar="FOLDER", required=True, type=click.Path(path_type=Path),
              help="Where the copies are kept.")  # fmt: skip
@click.option("--keep", metavar="RULE", help="Which are kept; default all=2d,daily=14,weekly=8.")
@json_option
def make(source: Path, to: Path, keep: str | None, as_json: bool) -> None:
    """Copy FOLDER into a new dated folder, then remove the copies that the rule lets go."""
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.storage.backup_program import document_of
    from jupyter_mlinfn.storage.backups.making import make_copy
    from jupyter_mlinfn.storage.backups.rule import DEFAULT, parse_rule

    made = make_copy(source, to, parse_rule(keep or DEFAULT))
    if as_json:
        emit(document_of(made))
    else:
        tell(made)


def tell(made: Made) -> None:
    """What was copied, what was not, and which old copies went."""
    from jupyter_mlinfn.cli.terminal import answer, inert, say
    from jupyter_mlinfn.model.quantities import show_count, show_memory

    copy = made.copy
    answer(
        f"{copy.id}: {show_count(copy.files, 'file')}, {show_memory(copy.size)}, "
        f"{show_memory(copy.added)} of it new."
    )
    for names, what in (
        (made.told.changed, "changed while it was copied"),
        (made.told.unreadable, "cannot be read, so it is not in the copy"),
        (made.told.skipped, "is no file or folder of this file system"),
    ):
        for name in names[:20]:
            say(f"  {inert(name)} {what}.")
        if len(names) > 20:
            say(f"  … and {len(names) - 20} more.")
    if made.removed:
        answer(f"Removed by the rule: {', '.join(made.removed)}.")


@click.command()
@click.argument("area")
@click.argument("path")
@click.option("--copy", metavar="COPY", help="Which copy; the newest where not given.")
@click.option("--over", is_flag=True, help="In the old place; what is there goes to the trash.")
@json_option
def restore(area: str, path: str, copy: str | None, over: bool, as_json: bool) -> None:
    """Bring PATH of AREA back out of a backup, beside what is there now."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import answer, emit, inert
    from jupyter_mlinfn.model.storage import RestoreRequest

    storage = open_bench().storage
    asked = RestoreRequest(
        copy_id=checked_copy(copy) if copy else newest(storage, area),
        path=key_of_typed(path),
        where="back" if over else "beside",
    )
    task = storage.restore_now(area, asked)
    if as_json:
        emit(task)
    else:
        answer(inert(task.text or ""))


def newest(storage: Storage, area: str) -> str:
    """The newest copy. Raises :class:`NotFound` where there is none yet."""
    from jupyter_mlinfn.model.errors import NotFound

    copies = storage.backups(area).copies
    if not copies:
        raise NotFound(f"No copy of {area} has been made yet.", code="no-such-copy")
    return copies[0].id


def checked_copy(copy: str) -> str:
    """A copy's name as it is typed. Raises :class:`NotFound` for what cannot be one."""
    from jupyter_mlinfn.storage.backups.copies import check_copy

    return check_copy(copy)


def key_of_typed(path: str) -> str:
    """The key of a path that was typed relative to the area; '.' and '/' at the end are fine."""
    from jupyter_mlinfn.storage.descent import key_of, parts_of

    plain = os.path.normpath(path) if path else "."
    key = "" if plain == "." else key_of(plain.split("/"))
    parts_of(key)
    return key
