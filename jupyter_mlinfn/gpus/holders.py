"""From PID to notebook, job, person: pure; what ``/proc`` said comes with the reading.

A person's own processes are told by name; of others only that they are there, whose they are
and how much they hold. Memory that the driver counts but no process explains is shown as held
from outside: all of it is attributed to somebody.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from jupyter_mlinfn.gpus.reading import DeviceReading, Person, ProcessReading, Reading
from jupyter_mlinfn.gpus.source import NOBODY
from jupyter_mlinfn.model.accelerators import Holder

OUTSIDE: Final = "outside this container"
HIDDEN: Final = "a process you cannot see"
# Unexplained memory below this part of a device is the driver's own.
_OWN_PART: Final = 10
_OWN_LEAST: Final = 512 * 2**20


class KernelPlace(NamedTuple):
    """A running kernel: its process here (if it is here) and its notebook's path now."""

    pid: int | None
    path: str | None


@dataclass(frozen=True)
class Knowledge:
    """What the asker knows: kernels by id, names of jobs by id, who asks (user id)."""

    kernels: Mapping[str, KernelPlace] = field(default_factory=dict)
    jobs: Mapping[str, str] = field(default_factory=dict)
    uid: int = field(default_factory=os.getuid)


def holders_of(device: DeviceReading, reading: Reading, knowledge: Knowledge) -> tuple[Holder, ...]:
    """Everybody who holds memory on ``device``, the greatest first."""
    listed = device.processes or ()
    holders = [_attribute(one, reading, knowledge) for one in listed]
    rest = _unexplained(device, listed)
    if rest:
        holders.append(Holder(kind="outside", title=OUTSIDE, memory=rest))
    return tuple(sorted(holders, key=lambda one: (-(one.memory or 0), one.pid or 0)))


def _unexplained(device: DeviceReading, listed: tuple[ProcessReading, ...]) -> int | None:
    used = device.used or 0
    if not listed:
        return used if used > NOBODY and not device.cut else None
    told = [one.memory for one in listed if one.memory is not None]
    if device.cut or len(told) < len(listed):
        return None
    rest = used - sum(told)
    return rest if rest > max(_OWN_LEAST, (device.total or 0) // _OWN_PART) else None


def _attribute(process: ProcessReading, reading: Reading, knowledge: Knowledge) -> Holder:
    if reading.namespace != "same":
        # A number that happens to exist here as well says nothing.
        return Holder(kind="outside", title=OUTSIDE, pid=process.pid, memory=process.memory)
    person = (reading.people or {}).get(process.pid)
    if person is None:
        return Holder(kind="outside", title=HIDDEN, pid=process.pid, memory=process.memory)
    if person.uid != knowledge.uid:
        return Holder(
            kind="outside",
            title=person.name,
            pid=process.pid,
            memory=process.memory,
            user=person.user,
        )
    return _own(process, person, knowledge)


def _own(process: ProcessReading, person: Person, knowledge: Knowledge) -> Holder:
    kind: Literal["kernel", "job", "process"] = "process"
    title, kernel = person.name, None
    if person.job:  # before the kernel: a job runs a kernel of its own
        kind, title = "job", knowledge.jobs.get(person.job, f"job {person.job}")
    else:
        kernel = person.kernel or _kernel_above(process.pid, person, knowledge.kernels)
        if kernel or person.session:
            kind, title = "kernel", _notebook(kernel, person, knowledge)
    return Holder(
        kind=kind,
        title=title,
        pid=process.pid,
        memory=process.memory,
        kernel_id=kernel,
        job_id=person.job,
        user=person.user,
        mine=True,
    )


def _notebook(kernel: str | None, person: Person, knowledge: Knowledge) -> str:
    place = knowledge.kernels.get(kernel) if kernel else None
    path = (place.path if place else None) or person.session
    return path.rpartition("/")[2] if path else "a notebook kernel"


def _kernel_above(pid: int, person: Person, kernels: Mapping[str, KernelPlace]) -> str | None:
    for name, place in kernels.items():
        if place.pid is not None and (place.pid == pid or place.pid in person.parents):
            return name
    return None
