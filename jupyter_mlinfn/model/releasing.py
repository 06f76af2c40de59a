"""Letting a held job go, with changes to what it asks for: memory in bytes, time in seconds."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from jupyter_mlinfn.model.quantities import MAX_DURATION, MAX_MEMORY
from jupyter_mlinfn.model.states import Frozen, Reason

Amendable = Literal["cpus", "memory", "time", "disk"]
"""What may be changed of a job that its batch system holds."""


class Asking(Frozen):
    """What a job asks for, as far as it can be changed; ``disk`` in bytes, ``None``: the system's
    own default."""

    cpus: int
    memory: int
    time: int
    disk: int | None = None


class ReleaseRequest(Frozen):
    """What a held job shall ask for from now on; what is left out stays as it is."""

    cpus: int | None = Field(default=None, ge=1, le=4096)
    memory: int | None = Field(default=None, ge=2**20, le=MAX_MEMORY)
    time: int | None = Field(default=None, ge=1, le=MAX_DURATION)
    disk: int | None = Field(default=None, ge=2**20, le=MAX_MEMORY)


class Amendment(Frozen):
    """One change of what a job asks for; ``why``: what had held it until then."""

    at: AwareDatetime
    why: Reason | None = None
    before: Asking
    now: Asking


class ReleaseOffer(Frozen):
    """That a held job can be let go, and what may be changed before.

    ``asks`` is what it asks for now. ``cause`` is what the hold was about, where that is one of
    these, and ``used`` how much of it the job had used then, in its unit.
    """

    amends: tuple[Amendable, ...] = ()
    asks: Asking
    cause: Amendable | None = None
    used: int | None = None
