"""Having a notebook saved before it is submitted, for the program and the magics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jupyter_mlinfn.server.answers import SavedNotebook
from jupyter_mlinfn.server.kernels import notebook_of

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call
    from jupyter_mlinfn.server.paths import Root


async def save(call: Call) -> SavedNotebook:
    """``POST notebooks/save``: let the open page save it; without one, say how old the file is.

    The kernel's session names the notebook as it is called now, also after a rename.
    """
    room, asked = call.room, call.body
    if asked.kernel_id is not None:
        path = await notebook_of(room.server, asked.kernel_id)
    else:
        path = asked.path
    await room.run(call.root.file, path, "path")
    plain = await room.run(call.root.plain, path)
    saved = await room.ask_to_save(kernel_id=asked.kernel_id, path=plain)
    return await room.run(_as_it_lies, call.root, saved or path, saved is not None)


def _as_it_lies(root: Root, path: str, by_lab: bool) -> SavedNotebook:
    file = root.file(path, "path")
    return SavedNotebook(
        path=root.show(str(file)),
        saved_at=datetime.fromtimestamp(file.stat().st_mtime, UTC),
        saved_by="lab" if by_lab else "disk",
    )
