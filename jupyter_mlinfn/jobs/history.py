"""The starts of a job as its folders tell them, also those that nobody saw end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from jupyter_mlinfn.jobs import checkpoints
from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.model.jobs import Attempt, JobRecord

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Observation
    from jupyter_mlinfn.jobs.folders import JobFolders


_OF_ITS_END = (
    *("reason", "host", "started_at", "ended_at", "exit_code", "usage"),
    *("evictions", "checkpoint_at", "lost_seconds"),
)


def earlier(job_folder: Path) -> tuple[Attempt, ...]:
    """All starts but the newest: they are over, because the newest one is there."""
    found = checkpoints.siblings(AttemptFolder(job_folder / "attempts" / "1"))
    return tuple(_over(folder) for folder in found[:-1])


def completed(known: Sequence[Attempt], job_folder: Path) -> tuple[Attempt, ...]:
    """``known`` with the starts that are not among them, and with what those lost that gave way."""
    told = {attempt.number: attempt for attempt in earlier(job_folder)}
    found = dict(told)
    for attempt in known:
        other = told.get(attempt.number)
        if other is not None and attempt.state == "evicted":
            lost = attempt.lost_seconds
            update = {
                "lost_seconds": other.lost_seconds if lost is None else lost,
                # why the job waits to run again is said of its last attempt meanwhile
                "reason": other.reason or attempt.reason,
            }
            attempt = attempt.model_copy(update=update)
        found[attempt.number] = attempt
    return tuple(found[number] for number in sorted(found))


def with_losses(folders: JobFolders, record: JobRecord, seen: Observation) -> Observation:
    """``seen`` with what only the folder knows, when a batch system says first of an attempt that
    it is over and runs again: its own end, or what it left that was killed before it wrote one.
    """
    if seen.state != "evicted" or record.state == "evicted" or seen.evictions is not None:
        return seen
    folder = AttemptFolder(folders.attempt(record.id, max(1, seen.attempt)))
    fields = _own_word(folder) or checkpoints.told(folder, gave_way=True)
    try:
        return type(seen).model_validate({**seen.model_dump(), **fields})
    except ValidationError:
        return seen  # the job's code can write these files


def _own_word(folder: AttemptFolder) -> dict[str, Any]:
    end = read_json(folder.end) or {}
    return {name: end[name] for name in _OF_ITS_END if end.get(name) is not None}


def _over(folder: AttemptFolder) -> Attempt:
    number, end = int(folder.path.name), read_json(folder.end)
    kept = {name: end[name] for name in Attempt.model_fields if name in end} if end else {}
    try:
        return Attempt.model_validate({**(kept or _without_end(folder)), "number": number})
    except ValidationError:
        return Attempt(number=number, state="evicted")


def _without_end(folder: AttemptFolder) -> dict[str, Any]:
    returned = read_json(folder.returned) or {}
    return {
        "state": "evicted",
        "reason": returned.get("reason"),
        "started_at": (read_json(folder.begun) or {}).get("at"),
        "ended_at": checkpoints.moment(checkpoints.last_sign(folder)),
        "lost_seconds": checkpoints.told(folder, gave_way=True).get("lost_seconds"),
    }
