"""What this server knows of the processes on a GPU: its kernels' notebooks, the jobs' names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.gpus.holders import KernelPlace, Knowledge
from jupyter_mlinfn.server.kernels import running_kernels

if TYPE_CHECKING:
    from jupyter_mlinfn.server.room import Room


async def what_is_known(room: Room) -> Knowledge:
    """The kernels and active jobs of this moment. Call it on the event loop."""
    kernels = {
        kernel.kernel_id: KernelPlace(kernel.pid, kernel.path)
        for kernel in await running_kernels(room.server)
    }
    return Knowledge(kernels=kernels, jobs=await room.run(_names_of_active_jobs, room))


def _names_of_active_jobs(room: Room) -> dict[str, str]:
    bench = room.workbench
    return {job.id: job.name for backend in bench.backends for job in bench.store.active(backend)}
