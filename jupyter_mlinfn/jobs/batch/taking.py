"""From a start by the batch system to the folder and the slot of one attempt."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import GRACE, POINTS, AttemptFolder, Slot, now, read_json
from jupyter_mlinfn.jobs.retrying import exhausted
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.durable import write_durably
from jupyter_mlinfn.process.identity import this_machine

_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_POINT = re.compile(r"[0-9]{1,6}", re.ASCII)
_FOR_GOOD = frozenset({"succeeded", "failed", "cancelled"})

_IDS = {"slurm": "SLURM_JOB_ID", "htcondor": "MLINFN_CONDOR_ID", "kubernetes": "MLINFN_POD"}
"""Where each system tells its own number of the job."""


def home_of(job: Path, point: str | None) -> Path:
    """Where the attempts lie: in the job's folder, or in that of one of its points.

    Raises ValueError for what is no number of a point.
    """
    if point is None:
        return job
    if not _POINT.fullmatch(point):
        raise ValueError(f"{point!r} is no point of a sweep")
    return job / POINTS / str(int(point))


def point_of(told: str, system: str, environ: Mapping[str, str]) -> str:
    """The number of the point that is to run; ``told`` is it, or the numbers of an array, of which
    Kubernetes tells the position. Raises ValueError and IndexError for what is neither."""
    if system != "kubernetes":
        return told
    return str(ranges.read(told)[int(environ.get("JOB_COMPLETION_INDEX", "0"))])


def over(home: Path) -> bool:
    """Whether an attempt there has ended it for good: nothing may run any more."""
    return any((read_json(folder.end) or {}).get("state") in _FOR_GOOD for folder in _all(home))


def take(
    home: Path, system: str, environ: Mapping[str, str]
) -> tuple[AttemptFolder, Slot, int] | None:
    """The attempt this start is: its folder, its slot, and the held lock of its supervisor.

    The newest one when nobody looks after it and none of its code began, else a new one; ``None``
    when another start of the same job took it at this moment. Raises OSError and ValueError
    where the job's folder cannot be read or written.
    """
    present = _all(home)
    folder = present[-1] if present and _untouched(present[-1]) else _next(home, present)
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = locks.acquire(folder.supervisor_lock)
    if lock is None or folder.begun.exists() or folder.end.exists():
        return None
    slot = _slot(folder, system, environ)
    write_durably(folder.claim, slot.to_json())
    return folder, slot, lock


def _slot(folder: AttemptFolder, system: str, environ: Mapping[str, str]) -> Slot:
    """What the system gave, as far as its environment tells; the rest as it was asked for."""
    spec = folder.spec()
    asked: dict[str, Any] = spec["resources"]
    return Slot(
        job=spec["id"],
        attempt=int(folder.path.name),
        token=spec["token"],
        cpus=asked["cpus"],
        memory=asked["memory"],
        time=asked["time"],
        slots=f"{system}:{this_machine().host}",
        machine=this_machine().as_dict(),
        claimed_at=now(),
        accelerators=_given(system, asked["gpus"], environ),
        system=system,
        system_id=environ.get(_IDS.get(system, ""), ""),
        grace=_grace(environ),
        point=folder.point,
    )


def _given(system: str, gpus: int, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The accelerators the system gave, by the names it uses for them."""
    if not gpus:
        return ()
    if system != "kubernetes":
        return tuple(word for word in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if word)
    # a container sees only what it was given; where it is not told which, they are the first ones
    told = environ.get("NVIDIA_VISIBLE_DEVICES", "").split(",")
    named = tuple(word for word in told if word.startswith(("GPU-", "MIG-")))
    return named or tuple(str(number) for number in range(gpus))


def _grace(environ: Mapping[str, str]) -> float:
    """Seconds the system gives after its warning, where the back-end knows them."""
    told = environ.get("MLINFN_GRACE_SECONDS", "")
    return float(told) if told.isdecimal() and int(told) else GRACE


def _all(home: Path) -> list[AttemptFolder]:
    """The attempts there are, the first one first."""
    try:
        names = [entry.name for entry in (home / "attempts").iterdir()]
    except FileNotFoundError:
        return []
    numbers = sorted(int(name) for name in names if _NUMBER.fullmatch(name))
    return [AttemptFolder(home / "attempts" / str(number)) for number in numbers]


def _untouched(folder: AttemptFolder) -> bool:
    touched = (folder.begun, folder.end, folder.result, folder.returned)
    return not any(path.exists() for path in touched) and not locks.held(folder.supervisor_lock)


def _next(home: Path, present: list[AttemptFolder]) -> AttemptFolder:
    number = int(present[-1].path.name) + 1 if present else 1
    return AttemptFolder(home / "attempts" / str(number))


def end_exhausted(folder: AttemptFolder) -> bool:
    """End a job that its batch system starts once more than it may; whether that was so."""
    if not exhausted(folder, folder.spec()):
        return False
    text = (
        "The machine that ran this job was lost, and it may not be started again so often. What it "
        "had written so far was kept."
    )
    reason = {"code": "node-lost", "text": text}
    end = {"state": "failed", "reason": reason, "ended_at": now(), "host": this_machine().host}
    write_durably(folder.end, json.dumps(end, indent=1))
    return True


def end_state(folder: AttemptFolder) -> str:
    """How the attempt ended; empty when nobody wrote it down."""
    return str((read_json(folder.end) or {}).get("state", ""))
