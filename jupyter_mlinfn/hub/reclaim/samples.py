"""What the agent of a GPU host says, one line a sample (docs/hub-services.md, section 1)."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from jupyter_mlinfn.gpus.reading import Missing
from jupyter_mlinfn.model.accelerators import SignalState
from jupyter_mlinfn.model.sessions import Told


class Occupant(Told):
    """A container with memory on a device; ``id`` ``None``: processes of the host itself.

    ``pids`` are the host's, ``inside`` the same processes as the container numbers them.
    """

    id: str | None
    pids: tuple[int, ...] = ()
    inside: tuple[int, ...] = ()
    batch: bool = False


class DeviceSample(Told):
    """One device now; ``percent`` where it is measured."""

    uuid: str
    state: SignalState
    measurement: str | None = None
    percent: float | None = None
    containers: tuple[Occupant, ...] = ()


class HostSample(Told):
    """All devices of a host. ``at``: seconds of its clock that only grows, within one ``boot``.

    ``batch_containers``: ids of containers in which a batch step lives, whatever it holds.
    """

    host: str = Field(max_length=253)
    boot: str = Field(max_length=64)
    at: float
    time: AwareDatetime
    missing: Missing | None = None
    devices: tuple[DeviceSample, ...] = Field(default=(), max_length=4096)
    batch_containers: tuple[str, ...] = ()
