"""Which devices of this machine belong to which pool of the offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from jupyter_mlinfn.gpus.snapshot import take_snapshot
from jupyter_mlinfn.model.accelerators import Accelerator
from jupyter_mlinfn.model.leases import Device
from jupyter_mlinfn.model.plans import Pool

Inventory = Callable[[Sequence[Pool]], Sequence[Device] | None]
"""The devices of the hub's machine that are offered; ``None``: nobody can tell now. Blocks."""


def driver_inventory(host: str, *, simulated: bool = False) -> Inventory:
    """What the driver of this machine says, or the simulated cards."""

    def look(pools: Sequence[Pool]) -> Sequence[Device] | None:
        snapshot = take_snapshot(simulated=simulated)
        if snapshot.missing:
            return None
        return offered(snapshot.accelerators, pools, host)

    return look


def offered(
    accelerators: Sequence[Accelerator], pools: Iterable[Pool], host: str
) -> tuple[Device, ...]:
    """The devices that a pool is made of: by the model of the GPU and the shape of the slice.

    A GPU that is cut is no device, only its slices are; one that is lost is none either.
    """
    by_kind = {(pool.model, pool.mig): pool.name for pool in pools}
    names = {one.uuid: one.name for one in accelerators}
    found = []
    for one in accelerators:
        model = names.get(one.parent or "", one.name)
        mig = one.mig.profile if one.mig else None
        pool = by_kind.get((model, mig))
        if pool is None or one.cut or one.state == "lost":
            continue
        found.append(
            Device(uuid=one.uuid, pool=pool, host=host, model=model, mig=mig, parent=one.parent)
        )
    return tuple(found)
