"""When the next job of one machine could start at the latest. Pure.

Jobs start in the order in which they were submitted, and each may use all the time it asked for:
what comes out is a bound, not a promise.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """A part of a machine: CPUs, memory in bytes, accelerators."""

    cpus: int
    memory: int
    gpus: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.cpus + other.cpus, self.memory + other.memory, self.gpus + other.gpus)

    def __sub__(self, other: Share) -> Share:
        return Share(self.cpus - other.cpus, self.memory - other.memory, self.gpus - other.gpus)

    def within(self, other: Share) -> bool:
        """Whether ``other`` has as much of everything."""
        enough = self.cpus <= other.cpus and self.memory <= other.memory
        return enough and self.gpus <= other.gpus


@dataclass(frozen=True)
class Work:
    """What a job takes, and for how many seconds more at the most."""

    share: Share
    seconds: float


def starts_within(
    asked: Share, free: Share, running: Iterable[Work], waiting: Iterable[Work]
) -> float | None:
    """Seconds after which ``asked`` has its place at the latest, behind all that wait.

    ``None``: it never gets it from the end of jobs alone (something else holds what it needs).
    """
    ends = [(work.seconds, number, work.share) for number, work in enumerate(running)]
    heapq.heapify(ends)
    now, number = 0.0, len(ends)
    for work in (*waiting, Work(asked, 0)):
        while not work.share.within(free):
            if not ends:
                return None
            ended, _number, share = heapq.heappop(ends)
            now, free = max(now, ended), free + share
        free -= work.share
        number += 1
        heapq.heappush(ends, (now + work.seconds, number, work.share))
    return now
