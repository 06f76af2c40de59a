"""Storage areas by HTTP."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from jupyter_mlinfn.model.storage import (
    AreaList,
    AreaNote,
    AreaState,
    BackupFolder,
    BackupList,
    DeletedFiles,
    RestoreTask,
)

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call
    from jupyter_mlinfn.server.paths import Root


def list_areas(call: Call) -> AreaList:
    """``GET areas``."""
    found, root = call.workbench.storage.list(), call.root
    return found.model_copy(update={"areas": tuple(_placed(one, root) for one in found.areas)})


def add_note(call: Call) -> AreaNote:
    """``POST areas/{name}/notes``."""
    return call.workbench.storage.add_note(call.values["name"], call.body)


def remove_note(call: Call) -> None:
    """``DELETE areas/{name}/notes/{note}``."""
    call.workbench.storage.remove_note(call.values["name"], call.values["note"])


def backups(call: Call) -> BackupList:
    """``GET areas/{name}/backups``."""
    return call.workbench.storage.backups(call.values["name"])


def browse(call: Call) -> BackupFolder:
    """``GET areas/{name}/backups/{copy}``."""
    values = call.values
    return call.workbench.storage.browse(values["name"], values["copy"], call.query.path)


def deleted(call: Call) -> DeletedFiles:
    """``GET areas/{name}/backups/{copy}/deleted``."""
    return call.workbench.storage.deleted(call.values["name"], call.values["copy"])


def restore(call: Call) -> RestoreTask:
    """``POST areas/{name}/restore``: it runs on by itself, also without this server."""
    return call.workbench.storage.restore(call.values["name"], call.body)


def read_restore(call: Call) -> RestoreTask:
    """``GET restores/{task}``."""
    return call.workbench.storage.restores.read(call.values["task"])


def cancel_restore(call: Call) -> RestoreTask:
    """``POST restores/{task}/cancel``."""
    return call.workbench.storage.restores.cancel(call.values["task"])


def _placed(one: AreaState, root: Root) -> AreaState:
    """With its folder as the file browser names it; outside of the root it has no such name."""
    if not one.area.path:
        return one
    place = PurePath(root.show(one.area.path))
    hidden = any(part.startswith(".") for part in place.parts) and not root.allow_hidden
    if place.is_absolute() or hidden:
        return one
    return one.model_copy(update={"place": "" if str(place) == "." else place.as_posix()})
