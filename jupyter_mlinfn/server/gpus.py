"""Accelerators by HTTP. While somebody watches, the sampler's latest picture is the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.gpus.snapshot import take_snapshot
from jupyter_mlinfn.model.accelerators import GpuHistory, GpuSnapshot
from jupyter_mlinfn.server.knowledge import what_is_known

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call


async def snapshot(call: Call) -> GpuSnapshot:
    """``GET gpus``."""
    room = call.room
    sampler = room.sampler
    if sampler is not None and sampler.running and sampler.latest().taken_at:
        return sampler.latest()
    known = await what_is_known(room)
    settings = (await room.run(lambda: room.workbench)).settings
    return await room.run(take_snapshot, simulated=settings.gpus_simulated, knowledge=known)


async def history(call: Call) -> GpuHistory:
    """``GET gpus/{uuid}/history``: what was seen while somebody watched; else it is empty."""
    uuid = call.values["uuid"]
    if call.room.sampler is not None:
        return call.room.sampler.history(uuid, call.query.seconds)
    return GpuHistory(
        uuid=uuid, interval=1.0, times=(), percent=(), memory_used=(), power=(), temperature=()
    )
