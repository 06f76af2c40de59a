"""``live.json``: what the attempt uses now and how old its newest checkpoint is.

Written every few seconds from inside the job, so that it is known on every batch system alike.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder, Slot, now
from jupyter_mlinfn.jobs.checkpoints import evictions_before, moment, newest
from jupyter_mlinfn.jobs.credentials import renew
from jupyter_mlinfn.jobs.supervisor.busy import GpuMeter
from jupyter_mlinfn.jobs.supervisor.consumption import Consumption
from jupyter_mlinfn.process.durable import write_atomically

_FIRST = 1.0
_INTERVAL = 4.0


class Live:
    """Looks when a look is due; a look reads a few files of ``/proc`` and writes one file."""

    def __init__(self, folder: AttemptFolder, slot: Slot, use: Consumption) -> None:
        self._folder = folder
        self._use = use
        self._gpus = GpuMeter(slot.accelerators)
        self._next = time.monotonic() + _FIRST
        self.evictions = evictions_before(folder)
        self.pids = self._gpus.pids
        self.close = self._gpus.close

    def look(self) -> None:
        """Write the file when it is due."""
        if time.monotonic() < self._next or not self._folder.begun.exists():
            return
        self._next = time.monotonic() + _INTERVAL
        renew(self._folder.job_folder)
        # a full disk, or a folder that was removed: the job itself will say so
        with contextlib.suppress(OSError):
            write_atomically(self._folder.live, json.dumps(self._now()))

    def _now(self) -> dict[str, Any]:
        return {
            "at": now(),
            "cpus": self._use.cpus_busy(),
            "memory": self._use.memory,
            "peak_memory": self._use.peak,
            "gpus_busy": self._gpus.percent(),
            "evictions": self.evictions,
            "checkpoint_at": moment(newest(self._folder.checkpoints)),
        }
