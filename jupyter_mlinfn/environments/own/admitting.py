"""Which tasks may start, and what became of those whose engine died."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from jupyter_mlinfn.environments.own import kernels, sharing
from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.environments.own.record import read_record
from jupyter_mlinfn.environments.own.states import all_states
from jupyter_mlinfn.model.environment_tasks import (
    Clone,
    Collect,
    Create,
    Share,
    Task,
    TaskRequest,
)
from jupyter_mlinfn.model.errors import Conflict, MlinfnError
from jupyter_mlinfn.process.locks import held

_ENDING: Final = 2.0
"""Seconds that an engine needs at most to end after its result."""

_LOOK_EVERY: Final = 0.01

_DIED = "The program that did it was ended before it could say so"


def check_start(layout: Layout, request: TaskRequest, other: Task | None) -> None:
    """Whether ``request`` may start while ``other`` works on the same environment.

    Raises :class:`Conflict` (``environment-exists``, ``environment-busy``), :class:`NotFound`,
    :class:`Unavailable` where the record cannot be read.
    """
    if isinstance(request, Collect):
        if other is not None and not request.preview:
            raise Conflict(
                "Unused things are being removed already.",
                code="environment-busy",
                hint="Wait until that has ended, or cancel it.",
            )
        return
    if isinstance(request, (Create, Clone)):
        _check_free(layout, request.name)
    else:
        read_record(layout.place(request.name))
    if request.preview:
        return
    if other is not None:
        raise _busy(request.name, f"The task {other.id} ({other.action}) works on it.")
    place = layout.place(request.name)
    if place.folder.is_dir() and not _let_go(place.lock):
        raise _busy(request.name, "Another program works on it.")


def _let_go(lock: Path) -> bool:
    """Whether nobody holds it any more; an engine that has told its result is just about to end."""
    until = time.monotonic() + _ENDING
    while held(lock):
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _check_free(layout: Layout, name: str) -> None:
    twin = _twin(layout, name)
    if twin is None:
        return
    more = "" if twin == name else " Names must differ in more than large letters."
    raise Conflict(
        f"You have an environment named '{twin}' already.{more}",
        code="environment-exists",
        field="name",
        hint="Choose another name, or delete that one first.",
    )


def _twin(layout: Layout, name: str) -> str | None:
    """An environment with this name, or with one that Jupyter's kernels cannot tell from it."""
    for place, _ in all_states(layout):
        if place.name.lower() == name.lower():
            return place.name
    return None


def _busy(name: str, why: str) -> Conflict:
    return Conflict(
        f"The environment '{name}' is being changed right now. {why}",
        code="environment-busy",
        field="name",
        hint="Wait until it has ended, or cancel it. Nothing was changed by this request.",
    )


def what_happened(layout: Layout, identifier: str, request: TaskRequest) -> str:
    """What a task without a result came to, in words; what it left half made is removed."""
    if isinstance(request, Collect):
        return f"{_DIED}. What was removed is gone, the rest is whole. You can start it again."
    if isinstance(request, Share):
        return _of_share(identifier, request)
    try:
        record = read_record(layout.place(request.name))
    except MlinfnError:
        return f"{_DIED}. Nothing was changed. You can start it again."
    if any(entry.task == identifier for entry in record.history):
        with suppress(OSError):  # the kernel then follows at the next change
            kernels.renew(record, layout.place(record.name))
        return f"{_DIED}, but it was done: '{request.name}' is in its new state."
    return f"{_DIED}. '{request.name}' is as it was before. You can start it again."


def _of_share(identifier: str, request: Share) -> str:
    folder = Path(request.folder)
    try:
        done = not request.preview and sharing.conclude(folder, request.name, identifier)
    except OSError as error:
        return f"{_DIED}. {folder} cannot be looked at: {error.strerror}. Look there yourself."
    if done:
        return f"{_DIED}, but it was done: '{request.name}' is shared in {folder}."
    return f"{_DIED}. What lay in {folder} is as it was. You can start it again."
