"""What the folder of an attempt says about it now; reading only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError

from jupyter_mlinfn.database.location import is_network
from jupyter_mlinfn.jobs import checkpoints
from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.follow import read_progress
from jupyter_mlinfn.model.jobs import JobRecord, Reason, Usage
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.identity import this_machine

Life = Literal["ended", "supervised", "returned", "unsupervised", "elsewhere"]

_SILENT_AFTER = 120.0
"""Seconds without heartbeat after which an attempt on another machine counts as stopped."""

_GONE = Reason(
    code="lost",
    text="The job's folder is gone: it was removed, or its disk is not there. "
    "Nothing more can be known of this job.",
)


def life(folder: AttemptFolder) -> Life:
    """Whether somebody looks after the attempt.

    The locks of living processes decide. On a network file system they may be local to each
    machine, so another machine's attempt is believed by its heartbeat.
    """
    if folder.end.exists():
        return "ended"
    if folder.returned.exists() and not folder.begun.exists():
        return "returned"
    if locks.held(folder.supervisor_lock):
        return "supervised"
    if _on_another_machine(folder) and _silent_for(folder) < _SILENT_AFTER:
        return "elsewhere"
    return "unsupervised"


def began_at(folder: AttemptFolder) -> datetime | None:
    """When the person's code began; ``None`` when it did not, or when nobody can read it."""
    try:
        told = datetime.fromisoformat((read_json(folder.begun) or {})["at"])
    except (KeyError, TypeError, ValueError):
        return None
    return told if told.tzinfo else None


def observe(folder: AttemptFolder, record: JobRecord) -> Observation:
    """What is true of ``record``'s newest attempt, whose folder this is."""
    end = read_json(folder.end)
    if end is not None:
        return _ended(folder, end, record)
    if not folder.job_folder.is_dir():
        return Observation(state="failed", attempt=record.attempts, reason=_GONE)
    begun = folder.begun.exists()
    if record.state == "running" and not begun:
        # what there was of it was removed: without this its code would run a second time
        return Observation(state="failed", attempt=record.attempts, reason=_GONE)
    seen = Observation.model_validate(
        {
            "state": "running" if begun else "starting",
            "attempt": record.attempts,
            "host": this_machine().host,
            "started_at": began_at(folder) if begun else None,
            "progress": read_progress(folder.path) if begun else None,
            **checkpoints.told(folder),
        }
    )
    if life(folder) == "elsewhere" and _silent_for(folder) > _SILENT_AFTER / 2:
        since = datetime.fromtimestamp(time.time() - _silent_for(folder), UTC)
        return seen.model_copy(update={"unknown_since": since})
    return seen


def _ended(folder: AttemptFolder, end: Mapping[str, Any], record: JobRecord) -> Observation:
    """``end.json`` as an observation; a damaged one ends the job all the same."""
    usage = end.get("usage")
    try:
        return Observation.model_validate(
            {
                **end,
                "attempt": record.attempts,
                "usage": Usage.model_validate(usage) if usage else None,
                "accelerators": tuple(end.get("accelerators", ())),
                # what the last look while it ran saw is not where it ended
                "progress": read_progress(folder.path) if folder.begun.exists() else None,
            }
        )
    except ValidationError:
        text = "How this job ended cannot be read from its folder."
        reason = Reason(code="lost", text=text)
        return Observation(state="failed", attempt=record.attempts, reason=reason)


def _on_another_machine(folder: AttemptFolder) -> bool:
    told = read_json(folder.supervisor) or read_json(folder.claim) or {}
    host = (told.get("machine") or {}).get("host")
    return host not in (None, this_machine().host) and is_network(folder.path)


def _silent_for(folder: AttemptFolder) -> float:
    """Seconds since the supervisor's last heartbeat, by the clock of the file system's server."""
    probe = folder.path / ".clock"
    try:
        probe.touch()
        now = probe.stat().st_mtime
        for path in (folder.supervisor, folder.claim):
            if path.exists():
                return max(0.0, now - path.stat().st_mtime)
    except OSError:
        return 0.0  # what cannot be read is not taken for dead
    return 0.0
