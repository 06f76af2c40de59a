"""From a start by the batch system to the folder and the slot of one attempt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder, Slot, now, read_json
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.durable import write_durably
from jupyter_mlinfn.process.identity import this_machine

_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_FOR_GOOD = frozenset({"succeeded", "failed", "cancelled"})

_IDS = {"slurm": "SLURM_JOB_ID"}
"""Where each system tells its own number of the job."""


def over(job: Path) -> bool:
    """Whether an attempt of this job has ended it for good: nothing may run any more."""
    return any((read_json(folder.end) or {}).get("state") in _FOR_GOOD for folder in _all(job))


def take(
    job: Path, system: str, environ: Mapping[str, str]
) -> tuple[AttemptFolder, Slot, int] | None:
    """The attempt this start is: its folder, its slot, and the held lock of its supervisor.

    The newest one when nobody looks after it and none of its code began, else a new one; ``None``
    when another start of the same job took it at this moment. Raises OSError and ValueError
    where the job's folder cannot be read or written.
    """
    present = _all(job)
    folder = present[-1] if present and _untouched(present[-1]) else _next(job, present)
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
    given = environ.get("CUDA_VISIBLE_DEVICES", "") if asked["gpus"] else ""
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
        accelerators=tuple(word for word in given.split(",") if word),
        system=system,
        system_id=environ.get(_IDS.get(system, ""), ""),
    )


def _all(job: Path) -> list[AttemptFolder]:
    """The attempts there are, the first one first."""
    try:
        names = [entry.name for entry in (job / "attempts").iterdir()]
    except FileNotFoundError:
        return []
    numbers = sorted(int(name) for name in names if _NUMBER.fullmatch(name))
    return [AttemptFolder(job / "attempts" / str(number)) for number in numbers]


def _untouched(folder: AttemptFolder) -> bool:
    touched = (folder.begun, folder.end, folder.result, folder.returned)
    return not any(path.exists() for path in touched) and not locks.held(folder.supervisor_lock)


def _next(job: Path, present: list[AttemptFolder]) -> AttemptFolder:
    number = int(present[-1].path.name) + 1 if present else 1
    return AttemptFolder(job / "attempts" / str(number))


def end_state(folder: AttemptFolder) -> str:
    """How the attempt ended; empty when nobody wrote it down."""
    return str((read_json(folder.end) or {}).get("state", ""))
