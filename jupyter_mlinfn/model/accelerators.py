"""Accelerators: whole GPUs and MIG instances, what is known of them and who holds them.

Every measured value may be ``None``: not available on this device, never drawn as zero.
Memory in bytes, power in watts, energy in joules, temperature in °C, utilisation in percent.
"""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict

SignalState = Literal["busy", "idle", "unknown"]


class Signal(BaseModel):
    """Busy, idle or unknown, and the name of the measurement behind it.

    A100 MIG instances have no utilisation at all (GPM starts at Hopper): ``unknown`` while
    somebody holds them. ``measurement`` is ``utilisation`` (NVML's rate), ``gpm`` (graphics
    engine, Hopper and later), ``nobody`` (no process and no memory held: idle for certain) or
    ``instances`` (a GPU that is cut: what its instances say). ``since`` is when this state was
    first seen without a break; ``None`` in a one-shot sample.
    """

    model_config = ConfigDict(frozen=True)

    state: SignalState
    measurement: str | None = None
    percent: float | None = None
    since: AwareDatetime | None = None


class Memory(BaseModel):
    """Total and used memory, bytes."""

    model_config = ConfigDict(frozen=True)

    total: int
    used: int


class MigShape(BaseModel):
    """A MIG instance's place: profile name such as ``1g.10gb`` and NVML's instance ids."""

    model_config = ConfigDict(frozen=True)

    profile: str
    gpu_instance: int
    compute_instance: int


class Holder(BaseModel):
    """Who holds memory on an accelerator.

    ``kind`` ``outside`` is a process of another PID namespace or of another person. ``pid`` is
    the number NVML gave; it may be a host PID. ``title`` is for people: a notebook's file name,
    a job's name, a program's name.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["kernel", "job", "process", "outside"]
    title: str
    pid: int | None = None
    memory: int | None = None
    kernel_id: str | None = None
    job_id: str | None = None
    user: str | None = None
    mine: bool = False


class Accelerator(BaseModel):
    """One schedulable device. A GPU cut into MIG instances is listed too, with ``cut`` true.

    ``parent`` is the UUID of the GPU an instance is cut from. ``index`` counts the GPUs, or the
    slots of the parent. ``state`` ``lost`` means the
    driver says that it fell off the bus; ``silent`` that it did not answer in time: its values
    are the last known ones, taken at ``taken_at``, which is ``None`` for values as old as the
    snapshot.
    """

    model_config = ConfigDict(frozen=True)

    uuid: str
    index: int
    name: str
    parent: str | None = None
    mig: MigShape | None = None
    cut: bool = False
    state: Literal["ok", "lost", "silent"] = "ok"
    problem: str | None = None
    memory: Memory | None = None
    signal: Signal = Signal(state="unknown")
    power: float | None = None
    power_limit: float | None = None
    energy: float | None = None
    temperature: float | None = None
    holders: tuple[Holder, ...] = ()
    taken_at: AwareDatetime | None = None


class DriverFacts(BaseModel):
    """What the driver says of itself."""

    model_config = ConfigDict(frozen=True)

    driver: str | None = None
    nvml: str | None = None
    cuda: str | None = None


class GpuSnapshot(BaseModel):
    """One complete sample. ``missing`` says in words why there is none (no driver, no GPU)."""

    model_config = ConfigDict(frozen=True)

    accelerators: tuple[Accelerator, ...] = ()
    facts: DriverFacts = DriverFacts()
    taken_at: AwareDatetime | None = None
    missing: str | None = None
    simulated: bool = False


class GpuHistory(BaseModel):
    """History of one accelerator, oldest first; ``None`` where a value was not available.

    ``interval`` is the usual distance of two points in seconds; a gap in ``times`` means that
    nobody looked. ``times`` are seconds since the epoch; all lists have the same length.
    """

    model_config = ConfigDict(frozen=True)

    uuid: str
    interval: float
    times: tuple[float, ...]
    percent: tuple[float | None, ...]
    memory_used: tuple[int | None, ...]
    power: tuple[float | None, ...]
    temperature: tuple[float | None, ...]


class FreeAccelerator(BaseModel):
    """An accelerator a job on this machine may claim: nobody holds memory there now."""

    model_config = ConfigDict(frozen=True)

    uuid: str
    name: str
    memory: int | None = None


class AcceleratorInventory(Protocol):
    """What the local back-end needs of accelerators; wired by ``workbench.py``."""

    def schedulable(self) -> tuple[FreeAccelerator, ...]:
        """All devices a job may ask for: MIG instances, and GPUs that are not cut.

        Empty without a driver. Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when
        the driver is silent and never answered before: silence is not "no GPU".
        """
        ...

    def free(self) -> tuple[FreeAccelerator, ...]:
        """Those of :meth:`schedulable` on which nobody holds memory at this moment.

        Never raises: of a silent device nobody knows that it is free.
        """
        ...
