"""How long a job has between the word that it must end and its end by force, and that word.

The runner and the job's code read it from ``stopping.json``: why, and until when (seconds since
1970).
"""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.attempt import AttemptFolder, Slot, read_json
from jupyter_mlinfn.process.durable import write_atomically

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.supervisor.ending import Stop

_SOON = 5.0
_MACHINE_STOPS = 8.0
"""A container that is stopped is killed after ten seconds, by the habit of most who run them."""
_SHARE_OF_THE_LIMIT = 0.25
_WARNED = 125.0
"""Slurm is asked for 60 seconds, and may warn 60 seconds earlier (``sbatch``, ``--signal``)."""
_REASONS = frozenset({"cancel", "time-limit", "session", "eviction"})
_LONGEST = 3600.0


def grace_for(why: Stop, slot: Slot, folder: AttemptFolder | None = None) -> float:
    """Seconds in which everything must be over; ``folder`` tells whether the code has hooks."""
    if why == "eviction":
        return slot.grace
    if why == "session":
        return min(slot.grace, _MACHINE_STOPS)
    if why == "time-limit" and folder is not None and folder.hooks.exists():
        return max(_SOON, _before_the_limit(slot))
    return _SOON


def time_for_code(slot: Slot, folder: AttemptFolder) -> float:
    """Seconds the code may run before it is told that its time is over.

    Code with hooks is told before the limit, so that they are called within it.
    """
    return slot.time - (_before_the_limit(slot) if folder.hooks.exists() else 0.0)


def _before_the_limit(slot: Slot) -> float:
    return min(slot.grace, slot.time * _SHARE_OF_THE_LIMIT)


def limit_is_near(slot: Slot, environ: Mapping[str, str], started: float) -> bool:
    """Whether a batch system says that the time is over, rather than that it takes the place back.

    Our own limit comes before the system's, except on a Slurm queue with a shorter one: there the
    warning comes up to two minutes before the end. ``started`` is of the monotonic clock.
    """
    if slot.system != "slurm":
        return False
    end = environ.get("SLURM_JOB_END_TIME", "")
    if end.isdecimal():
        return time.time() > float(end) - _WARNED
    ran = time.monotonic() - started
    return ran > max(slot.time - _WARNED, slot.time / 2)


def warned_before(folder: AttemptFolder) -> tuple[Stop, float] | None:
    """Why a supervisor before this one told the job to end, and when it must be killed
    (monotonic clock); ``None`` when none did."""
    word = read_json(folder.stopping) or {}
    why, until = word.get("why"), word.get("until")
    if why not in _REASONS or not isinstance(until, (int, float)):
        return None
    return why, time.monotonic() + min(until - time.time(), _LONGEST)


def warn(folder: AttemptFolder, why: Stop, grace: float) -> None:
    """Leave the word. On a full disk there is none, and the runner takes a few seconds."""
    word = {"why": why, "until": time.time() + grace}
    try:
        write_atomically(folder.stopping, json.dumps(word))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT):
            raise
