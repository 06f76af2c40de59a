"""Which machine this is and which process that is: never a PID alone.

A PID means something only inside one PID namespace of one boot; a container that was restarted
may get the same host name, the same namespace number and the same PIDs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class MachineIdentity:
    """``container`` is the root folder's device and inode and the start time of process 1."""

    host: str
    boot_id: str
    pid_namespace: str
    container: str

    def as_dict(self) -> dict[str, str]:
        """For JSON files in job folders."""
        return asdict(self)

    def shares_processes(self, other: Mapping[str, object] | None) -> bool:
        """Whether PIDs written there (a dictionary of :meth:`as_dict`) mean anything here."""
        names = ("boot_id", "pid_namespace", "container")
        return other is not None and all(other.get(n) == getattr(self, n) for n in names)


@cache
def this_machine() -> MachineIdentity:
    """The machine, or the container, this process runs in."""
    root = Path("/").stat()
    return MachineIdentity(
        host=os.uname().nodename,
        boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        pid_namespace=str(Path("/proc/self/ns/pid").readlink()),
        container=f"{root.st_dev:x}:{root.st_ino:x}:{start_time(1) or 0}",
    )


def start_time(pid: int) -> int | None:
    """Clock ticks since boot at which ``pid`` started (field 22 of stat); ``None``: not there."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields else None


def stat_fields(pid: int) -> list[str] | None:
    """Fields of ``/proc/<pid>/stat`` from the state (field 3) on; ``None``: no such process.

    The second field, the program's name, may hold blanks and brackets: split after its end.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(b")") + 2 :].decode("ascii", "replace").split()


def myself() -> dict[str, object]:
    """This process for a JSON file: pid, start time, machine."""
    pid = os.getpid()
    return {"pid": pid, "start_time": start_time(pid), "machine": this_machine().as_dict()}
