"""What an attempt uses: peak memory, CPU time, and the memory limit where no kernel keeps it."""

from __future__ import annotations

import time
from collections.abc import Callable

from jupyter_mlinfn.process import tree
from jupyter_mlinfn.process.cgroup import ControlGroup

_INTERVAL = 0.5


class Consumption:
    """Samples a job's processes; ``members`` finds them. Memory in bytes, times in seconds."""

    def __init__(self, group: ControlGroup, limit: int, members: Callable[[], set[int]]) -> None:
        self._group = group
        self._limit = limit
        self._members = members
        self._next = 0.0
        self._ended_cpu = 0.0
        self._living_cpu = 0.0
        self._cpu_before: tuple[float, dict[int, float]] | None = None
        self.memory: int | None = None
        self.peak: int | None = None
        self.guarded = False
        """Whether the kernel itself keeps the memory limit."""

    def sample(self) -> bool:
        """Take a sample when one is due; ``True`` when the job is over a limit nobody else keeps.

        Proportional memory is exact and slow to read, so it is read only when the sum of the
        resident sizes, which counts shared pages several times, comes near the limit.
        """
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + _INTERVAL
        grouped = self._group.memory_now()
        if grouped is not None and self.guarded:
            self._note(grouped)
            return False
        table = tree.living()
        members = [pid for pid in self._members() if pid in table]
        self._living_cpu = sum(table[pid].cpu for pid in members)
        resident = sum(table[pid].rss for pid in members)
        used = resident if resident < self._limit * 0.8 else tree.memory_of(members)
        self._note(used)
        return used > self._limit

    def collected(self, seconds: float) -> None:
        """Count the CPU time of a child that was waited for, its own waited children included."""
        self._ended_cpu += seconds

    def cpu_seconds(self) -> float:
        """CPU time of the whole attempt: the group's count, or what was waited for and seen."""
        counted = self._group.cpu_seconds()
        total = max(self._ended_cpu, self._living_cpu) if counted is None else counted
        return round(total, 2)

    def cpus_busy(self) -> float | None:
        """Whole CPUs busy since the last call; ``None`` for the first one.

        Where no group counts, what a process did that ended in between is left out.
        """
        at, counted = time.monotonic(), self._group.cpu_seconds()
        each = {-1: counted} if counted is not None else self._cpu_of_each()
        before, self._cpu_before = self._cpu_before, (at, each)
        if before is None or at <= before[0]:
            return None
        done = sum(seconds - before[1].get(pid, 0.0) for pid, seconds in each.items())
        return round(max(0.0, done) / (at - before[0]), 2)

    def _cpu_of_each(self) -> dict[int, float]:
        table, members = tree.living(), self._members()
        return {pid: table[pid].cpu for pid in members if pid in table}

    def _note(self, used: int) -> None:
        self.memory = used
        self.peak = max(self.peak or 0, used)
