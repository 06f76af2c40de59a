"""What can be done at once about a locked environment that was changed by hand.

Whole packages that a tool put there become a new locked state. Files that were edited or deleted
belong to no package: no lock can have them, so the locked ones come back, and the edited ones are
kept in a folder of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.environments.own.handwork import HandWork, look
from jupyter_mlinfn.environments.own.layout import Place, short
from jupyter_mlinfn.environments.own.states import State, read_papers
from jupyter_mlinfn.model.environment_tasks import Relock, Restore
from jupyter_mlinfn.model.environments import EnvironmentRef, Remedy
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.quantities import show_count

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.own.store import OwnEnvironments

_SHOWN = 4
_LISTED = 200


def remedy_of(own: OwnEnvironments, ref: EnvironmentRef) -> Remedy | None:
    """What makes ``ref`` usable again; ``None`` where it is not one's own, or nothing can."""
    try:
        state = own.state(f"{ref.name}@{ref.digest}")
        if ref.prefix != str(state.prefix):
            return None
        work = done_by_hand(state)
    except (MlinfnError, OSError, ValueError):
        return None  # what is wrong there is told by whoever looked before
    if not work.differences:
        return None
    return _remedy(state, work)


def done_by_hand(state: State) -> HandWork:
    """What is other in the files of ``state``.

    Raises OSError and ValueError where its manifest or an installer's notes cannot be read,
    :class:`NotFound` where its lock is gone.
    """
    recorded = manifest.read(state.place.manifest(state.digest))
    lock = read_papers(state.papers, state.record.name)
    return look(state.prefix, recorded, lock.of(state.record.platform))


def _remedy(state: State, work: HandWork) -> Remedy:
    name = state.record.name
    if not work.packages or not state.current:
        paths = [one.path for one in work.differences]
        return Remedy(
            kind="put-back",
            text=_put_back(state, paths),
            files=tuple(paths[:_LISTED]),
            request=Restore(name=name, digest=state.digest, only_files=True),
        )
    locked = (
        f"Locking makes a new state of '{name}' with {what_came(work)}. Its packages are fetched "
        f"and installed clean; the state before stays in the history (mlinfn env undo {name})."
    )
    if not work.edited:
        return Remedy(kind="lock", text=locked, request=Relock(name=name))
    return Remedy(
        kind="both",
        text=f"{locked} {in_no_package(work.edited)} A copy of them is kept in "
        f"{state.place.edited}.",
        files=work.edited[:_LISTED],
        request=Relock(name=name, set_aside=True),
    )


def _put_back(state: State, paths: Sequence[str]) -> str:
    what = f"'{state.record.name}' ({short(state.digest)})"
    why = in_no_package(paths) if state.current else f"Other than locked: {named(paths)}."
    return (
        f"{why} The locked files of {what} can be put back: it is then what its lock says. Your "
        f"files are kept in {state.place.edited}."
    )


def in_no_package(paths: Sequence[str]) -> str:
    """``lib/a.py was edited by hand: no package has it, so no lock can.``"""
    one = len(paths) == 1
    return (
        f"{named(paths)} {'was' if one else 'were'} changed by hand: no package has "
        f"{'it' if one else 'them'} like this, so no lock can."
    )


def named(paths: Sequence[str]) -> str:
    """The first paths, and how many more there are."""
    more = len(paths) - _SHOWN
    shown = ", ".join(paths[:_SHOWN])
    return f"{shown} and {show_count(more, 'more file')}" if more > 0 else shown


def what_came(work: HandWork) -> str:
    """``humanize 4.9 added and greeting taken away``."""
    came = [f"{one.name} {one.version}" for one in work.fresh]
    went = [name for _, name in work.gone if name not in {one.name for one in work.fresh}]
    parts = [_listing(came), f"{_listing(went)} taken away" if went else ""]
    return " and ".join(part for part in parts if part)


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more packages" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def keep_edited(place: Place, prefix: Path, paths: Iterable[str], task: str) -> Path | None:
    """Copy what is there of ``paths`` to a folder that only its owner removes; that folder.

    ``None`` when nothing of them is there: they were deleted. Raises OSError.
    """
    folder = place.edited / task
    for path in paths:
        source, target = prefix / path, folder / path
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return folder if folder.is_dir() else None
