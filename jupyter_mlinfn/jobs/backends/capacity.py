"""How much of this machine jobs may use: the control group's word, less a reserve."""

from __future__ import annotations

import math
import os

from jupyter_mlinfn.jobs.backends.protocol import Capacity, LocalSettings
from jupyter_mlinfn.process.cgroup import cpu_limit, memory_limit

_RESERVE_MEMORY = 2**30
_LEAST_MEMORY = 2**28
_FEW_CPUS = 4


def measure(settings: LocalSettings) -> Capacity:
    """CPUs and memory for jobs; what the owner sets is taken as it is.

    On a machine of up to four CPUs none is kept back: jobs then share them with the person, whose
    interactive work the kernel's scheduler prefers anyway.
    """
    cpus, memory = settings.cpus, settings.memory
    if cpus is None:
        quota = cpu_limit()
        there = len(os.sched_getaffinity(0))
        there = there if quota is None else min(there, max(1, math.floor(quota)))
        reserve = settings.reserve_cpus
        cpus = there - (reserve if reserve is not None else int(there > _FEW_CPUS))
    if memory is None:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        there = min(total, memory_limit() or total)
        reserve = settings.reserve_memory
        memory = there - (_RESERVE_MEMORY if reserve is None else reserve)
    return Capacity(cpus=max(1, cpus), memory=max(_LEAST_MEMORY, memory))
