"""What the agent says, as it is read: one line, one :class:`Reading`.

The agent writes the plain rows of ``gpus/source.py`` and ``gpus/processes.py``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from jupyter_mlinfn.model.accelerators import DriverFacts, MigShape


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProcessReading(_Frozen):
    """A process on a device; PID as the driver gave it, memory in bytes."""

    pid: int
    memory: int | None = None


class Person(_Frozen):
    """A process of the agent's PID namespace and whose it is."""

    uid: int
    user: str | None = None
    name: str
    parents: tuple[int, ...] = ()
    kernel: str | None = None
    session: str | None = None
    job: str | None = None


class DeviceReading(_Frozen):
    """One device; ``age``: seconds since the driver told these values."""

    uuid: str
    index: int
    name: str
    parent: str | None = None
    mig: MigShape | None = None
    cut: bool = False
    state: Literal["ok", "lost", "silent"] = "ok"
    problem: str | None = None
    total: int | None = None
    used: int | None = None
    percent: float | None = None
    measurement: str | None = None
    power: float | None = None
    power_limit: float | None = None
    energy: float | None = None
    temperature: float | None = None
    processes: tuple[ProcessReading, ...] | None = None
    age: float = 0.0


class Missing(_Frozen):
    """Why there is nothing to read; ``silent``: the driver may still answer."""

    code: str
    text: str


class Reading(_Frozen):
    """One complete sample. ``time`` is epoch seconds, ``boot`` seconds since boot.

    ``hung``: seconds for which the longest outstanding driver call has not come back.
    """

    time: float
    boot: float
    facts: DriverFacts
    missing: Missing | None = None
    devices: tuple[DeviceReading, ...] = ()
    people: dict[int, Person] = {}
    namespace: Literal["same", "different", "unknown"] = "unknown"
    hung: float = 0.0
    simulated: bool = False
