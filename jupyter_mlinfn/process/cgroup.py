"""A control group for one job where this machine lets us make one; probed, never assumed.

Two layouts are used side by side, because machines have either or a mixture (cgroups(7)):
the v1 ``memory`` tree limits memory; a v2 tree limits memory when its controller is delegated,
and lists and kills all members in any case. Groups are made below our own, so that the limits
of a container or a session hold for jobs too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROCS = "cgroup.procs"
_OLD = 300.0


@dataclass(frozen=True)
class ControlGroup:
    """The folders of one job's groups, one per tree. May be empty: then nothing is limited."""

    folders: tuple[Path, ...]

    @classmethod
    def planned(cls, name: str) -> ControlGroup:
        """Where groups of this name would lie; nothing is made yet."""
        return cls(tuple(base / name for base in _own_groups()))

    def create(self, memory: int) -> ControlGroup:
        """Make the groups that can be made and limit their memory to ``memory`` bytes."""
        made = []
        for folder in self.folders:
            try:
                folder.mkdir(exist_ok=True)
                _limit(folder, memory)
            except OSError:
                continue  # read-only or not ours: the usual case in a plain container
            if os.access(folder / _PROCS, os.W_OK):
                made.append(folder)
        return ControlGroup(tuple(made))

    def join(self) -> None:
        """Put the calling process into the groups; one that refuses is left out."""
        for folder in self.folders:
            _write(folder / _PROCS, "0")

    def processes(self) -> set[int]:
        """All members of the groups."""
        found: set[int] = set()
        for folder in self.folders:
            found.update(int(word) for word in _read(folder / _PROCS).split())
        return found

    def limits_memory(self, pid: int) -> bool:
        """Whether the kernel keeps ``pid`` below the limit that was asked."""
        return any(
            str(pid) in _read(folder / _PROCS).split()
            for folder in self.folders
            if _limit_file(folder) is not None
        )

    def kill(self) -> None:
        """Have the kernel kill all members at once, where it can (v2, Linux 5.14)."""
        for folder in self.folders:
            _write(folder / "cgroup.kill", "1")

    def memory_now(self) -> int | None:
        """Anonymous and shared memory of the members, bytes; the page cache is not the job's."""
        for folder in self.folders:
            stat = _pairs(_read(folder / "memory.stat"))
            if "anon" in stat:
                return stat["anon"] + stat.get("shmem", 0)
            if "total_rss" in stat:
                return stat["total_rss"] + stat.get("total_shmem", 0)
        return None

    def out_of_memory_kills(self) -> int:
        """How many members the kernel killed at the limit."""
        return sum(
            _pairs(_read(folder / name)).get("oom_kill", 0)
            for folder in self.folders
            for name in ("memory.events", "memory.oom_control")
        )

    def cpu_seconds(self) -> float | None:
        """CPU time of all members so far, also of those that ended; ``None``: not counted."""
        for folder in self.folders:
            stat = _pairs(_read(folder / "cpu.stat"))
            if "usage_usec" in stat:
                return stat["usage_usec"] / 1e6
        return None

    def remove(self) -> None:
        """Remove the groups; one that still has members stays."""
        for folder in self.folders:
            _remove(folder)

    def sweep(self, prefix: str) -> None:
        """Remove empty groups beside ours that a killed process left, once they are old."""
        for folder in {folder.parent for folder in self.folders}:
            for left in folder.glob(prefix + "*"):
                with suppress(OSError):  # another one sweeps as well
                    if time.time() - left.stat().st_ctime > _OLD:
                        _remove(left)


def _remove(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # gone already, or it has members: the kernel refuses


def memory_limit() -> int | None:
    """The tightest memory limit above this process, bytes; ``None`` when there is none."""
    found = []
    for base in _own_groups():
        for folder in (base, *base.parents):
            name = _limit_file(folder)
            text = _read(folder / name).strip() if name else ""
            if text.isdigit() and int(text) < 2**60:  # v1 writes "no limit" as almost 2**63
                found.append(int(text))
    return min(found, default=None)


def cpu_limit() -> float | None:
    """The tightest CPU quota above this process, in CPUs; ``None`` when there is none."""
    found = []
    for base in _own_groups(("cpu",)):
        for folder in (base, *base.parents):
            quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
            if not quota:
                quota = _read(folder / "cpu.cfs_quota_us").strip()
                period = _read(folder / "cpu.cfs_period_us").strip()
            if quota.isdigit() and period.isdigit() and int(period):
                found.append(int(quota) / int(period))
    return min(found, default=None)


def _own_groups(controllers: Sequence[str] = ("memory",)) -> Iterator[Path]:
    """Our own group in every v1 tree of ``controllers`` and in the v2 tree."""
    memberships = {}
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, names, path = line.split(":", 2)
        memberships.update(dict.fromkeys(names.split(","), path))
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        left, _, right = line.partition(" - ")
        kind, options = right.split()[0], right.split()[-1].split(",")
        root, point = left.split()[3:5]
        key = "" if kind == "cgroup2" else next((c for c in controllers if c in options), None)
        if kind in ("cgroup", "cgroup2") and key is not None and key in memberships:
            yield _below(Path(point), root, memberships[key])


def _below(point: Path, root: str, membership: str) -> Path:
    """The folder of ``membership`` under a tree whose ``root`` is mounted at ``point``.

    In a container the mount often shows only our own group, or the namespace hides the path.
    """
    inside = os.path.relpath(membership, root) if membership.startswith(root) else "."
    folder = point / inside
    return folder if folder.is_dir() else point


def _limit(folder: Path, memory: int) -> None:
    name = _limit_file(folder)
    if name is None:
        return
    (folder / name).write_text(str(memory))
    # without this the job would swap instead of being told that it asked for too little
    _write(folder / "memory.memsw.limit_in_bytes", str(memory))
    _write(folder / "memory.swap.max", "0")


def _limit_file(folder: Path) -> str | None:
    names = ("memory.max", "memory.limit_in_bytes")
    return next((name for name in names if (folder / name).exists()), None)


def _pairs(text: str) -> dict[str, int]:
    words = (line.split() for line in text.splitlines())
    return {w[0]: int(w[1]) for w in words if len(w) == 2 and w[1].isdigit()}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # this tree does not have the file


def _write(path: Path, text: str) -> None:
    try:
        with path.open("r+") as file:
            file.write(text)
    except OSError:
        return  # this tree does not have the file, or does not let us
