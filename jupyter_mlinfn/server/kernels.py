"""The kernels of this server: their processes, and the notebooks they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mlinfn.model.errors import NotFound

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


@dataclass(frozen=True)
class RunningKernel:
    """A kernel this server started: its process on this machine, if any, and its notebook.

    ``path`` is the session's path as the contents manager has it, following renames.
    """

    kernel_id: str
    pid: int | None
    path: str | None


async def running_kernels(server: ServerApp) -> tuple[RunningKernel, ...]:
    """All kernels of the server. Call it on the event loop, where their managers live."""
    paths = {
        session["kernel"]["id"]: session["path"]
        for session in await server.session_manager.list_sessions()
        if session.get("kernel")
    }
    manager = server.kernel_manager
    return tuple(
        RunningKernel(kernel_id, _pid(manager.get_kernel(kernel_id)), paths.get(kernel_id))
        for kernel_id in manager.list_kernel_ids()
    )


def _pid(kernel: Any) -> int | None:
    """The process of a kernel on this machine; remote provisioners have none."""
    pid = getattr(getattr(kernel, "provisioner", None), "pid", None)
    return pid if isinstance(pid, int) else None


async def notebook_of(server: ServerApp, kernel_id: str) -> str:
    """The path of the notebook a kernel belongs to, under its present name.

    Raises :class:`NotFound`: ``no-such-kernel``, or ``no-notebook`` for a console's kernel.
    """
    sessions = [
        session
        for session in await server.session_manager.list_sessions()
        if session.get("kernel") and session["kernel"]["id"] == kernel_id
    ]
    for session in sessions:
        if session.get("type") == "notebook":
            return str(session["path"])
    if sessions or kernel_id in server.kernel_manager:
        raise NotFound("This kernel belongs to no notebook.", code="no-notebook", field="kernel_id")
    raise NotFound("This server has no such kernel.", code="no-such-kernel", field="kernel_id")
