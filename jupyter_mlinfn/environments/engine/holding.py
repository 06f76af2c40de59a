"""Holding an environment: one task at a time changes it, and clears away what dead ones left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from jupyter_mlinfn.environments.own.layout import Place
from jupyter_mlinfn.model.errors import Conflict
from jupyter_mlinfn.process.locks import acquire

_TRIES = 10


@contextmanager
def holding(place: Place, tell: Callable[[int], None]) -> Iterator[None]:
    """Hold the environment at ``place``; ``tell`` gets the descriptor that holds it.

    Removes staging folders: who holds the lock knows that their tasks are dead. A folder that
    has no record at the end, because nothing was made of it, goes away again.
    Raises :class:`Conflict` when another task holds it.
    """
    descriptor = _take(place)
    tell(descriptor)
    try:
        for leftover in place.folder.glob("staging-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield
    finally:
        if not place.record.exists():
            _forget(place)
        os.close(descriptor)


def _take(place: Place) -> int:
    for _ in range(_TRIES):
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = acquire(place.lock)
        except FileNotFoundError:
            continue  # the folder was forgotten in between
        if descriptor is None:
            break
        if _is_still(place, descriptor):
            return descriptor
        os.close(descriptor)
    raise Conflict(
        f"The environment '{place.name}' is being changed by another task.",
        code="environment-busy",
        field="name",
        hint="Wait until that one has ended, or cancel it. Nothing was changed by this one.",
    )


def _is_still(place: Place, descriptor: int) -> bool:
    """Whether the file locked is the one others will lock, too."""
    try:
        present = place.lock.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (present.st_dev, present.st_ino) == (ours.st_dev, ours.st_ino)


def _forget(place: Place) -> None:
    """Remove the folder of an environment that was never made; only while its lock is held.

    Where there is a lock's paper but no record, somebody lost the record: then all is kept.
    """
    if any(place.folder.glob("locks/*/conda-lock.yml")):
        return
    for part in ("prefixes", "locks"):
        shutil.rmtree(place.folder / part, ignore_errors=True)
    with suppress(OSError):  # something of the person's lies there: it stays
        place.current.unlink(missing_ok=True)
        place.lock.unlink(missing_ok=True)
        place.folder.rmdir()
