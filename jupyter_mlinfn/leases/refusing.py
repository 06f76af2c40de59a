"""What a person is told when no device is free."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.leases import PoolState
from jupyter_mlinfn.model.quantities import show_moment

_SOON: Final = 30
_LATEST: Final = 600


class NoneFree(Refused):
    """No device of the pool is free, or those that are belong to people who waited longer.

    ``pool`` has the counts; ``retry_after`` says in how many seconds asking again makes sense.
    ``title`` is what people know the pool as.
    """

    status = 429
    default_code = "none-free"

    def __init__(self, pool: PoolState, now: datetime, title: str = "") -> None:
        super().__init__(refusal(pool, now, title or pool.pool))
        self.pool = pool
        self.retry_after = _retry_after(pool, now)


def refusal(pool: PoolState, now: datetime, title: str) -> str:
    """The sentences for people; ``title`` names the pool."""
    if not pool.total:
        return f"There is no {title} at this site right now. Choose another accelerator."
    if pool.free:
        told = [f"{pool.free} of {pool.total} {title} are kept for those who wait in line."]
    else:
        told = [f"No {title} is free: there are {pool.total}, and all are taken."]
    if pool.waiting:
        who = "1 person waits" if pool.waiting == 1 else f"{pool.waiting} people wait"
        told.append(f"{who} in line.")
    if pool.next_free is not None:
        told.append(f"The next planned end is {show_moment(pool.next_free, now)}.")
    told.append("Try again later, or choose another accelerator.")
    return " ".join(told)


def _retry_after(pool: PoolState, now: datetime) -> int:
    if pool.next_free is None:
        return _SOON
    return max(_SOON, min(_LATEST, int((pool.next_free - now).total_seconds())))
