"""The end of a sweep as its points see it, so that the last one can tell of it while nobody looks.

Each point that ends for good is noted in ``ended.json`` of the job's folder, one letter a point, by
one process at a time. Who notes the last one knows the end of the whole. A point that could not be
noted (its machine was lost, it never ran) leaves the sweep unfinished here: then whoever looks at
the index tells, as of every end.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.jobs.attempt import POINTS, AttemptFolder, read_json
from jupyter_mlinfn.jobs.checkpoints import FOR_GOOD
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.durable import write_atomically

NAME: Final = "ended.json"

_LETTERS: Final = {"succeeded": "s", "failed": "f", "cancelled": "c"}
_GOING: Final = "."
_PATIENCE: Final = 10.0
_LOOKED_AFTER: Final = 16
"""So few points that are missing are looked for in their folders."""


def note_end(folder: AttemptFolder, end: Mapping[str, Any]) -> dict[str, Any] | None:
    """Note that the point of this attempt has ended for good with ``end``; the end of the sweep,
    as the index would tell it, where no point is left.

    Raises OSError and ValueError where the job's folder cannot be used, TimeoutError where others
    hold it for too long.
    """
    assert folder.point is not None
    spec = json.loads((folder.job_folder / "job.json").read_bytes())
    total = int(spec["points"])
    with _alone(folder.job_folder / "ended.lock"):
        tally = _read(folder.job_folder, total)
        _add(tally, folder.point, end)
        missing = [n for n, letter in enumerate(tally["states"]) if letter == _GOING]
        if len(missing) <= _LOOKED_AFTER:
            for number in missing:
                _add(tally, number, _end_of(folder.job_folder / POINTS / str(number)))
        write_atomically(folder.job_folder / NAME, json.dumps(tally))
    return None if _GOING in tally["states"] else _whole(folder.job_folder, spec, tally)


def _add(tally: dict[str, Any], point: int, end: Mapping[str, Any]) -> None:
    letter = _LETTERS.get(str(end.get("state")))
    if letter is None or tally["states"][point] != _GOING:
        return
    states = tally["states"]
    tally["states"] = states[:point] + letter + states[point + 1 :]
    usage = end.get("usage") or {}
    tally["started_at"] = _least(min, tally["started_at"], end.get("started_at"))
    tally["ended_at"] = _least(max, tally["ended_at"], end.get("ended_at"))
    tally["peak_memory"] = _least(max, tally["peak_memory"], usage.get("peak_memory"))
    tally["cpu_seconds"] += usage.get("cpu_seconds") or 0.0
    tally["published"] = tally["published"] or bool(end.get("output"))


def _least(choose: Any, *values: Any) -> Any:
    """The least or the greatest of what is known; times are all ISO 8601 in UTC."""
    return choose((one for one in values if one is not None), default=None)


def _read(job_folder: Path, total: int) -> dict[str, Any]:
    tally = read_json(job_folder / NAME)
    if tally is not None and len(tally.get("states", "")) == total:
        return tally
    unknown = dict.fromkeys(("started_at", "ended_at", "peak_memory"))
    return {"states": _GOING * total, **unknown, "cpu_seconds": 0.0, "published": False}


def _end_of(home: Path) -> Mapping[str, Any]:
    """How a point ended that did not note it itself; nothing where it has not ended for good."""
    for path in (home / "attempts").glob("*/end.json"):
        end = read_json(path) or {}
        if end.get("state") in FOR_GOOD:
            return end
    return {}


def _whole(job_folder: Path, spec: Mapping[str, Any], tally: Mapping[str, Any]) -> dict[str, Any]:
    from jupyter_mlinfn.jobs.sweeps.whole import whole

    states: dict[Any, int] = {
        state: tally["states"].count(letter) for state, letter in _LETTERS.items()
    }
    state, reason = whole(states, cancelling=(job_folder / "cancel").exists())
    return {
        "state": state,
        "reason": reason and reason.model_dump(),
        "output": spec.get("output_folder") if tally["published"] else None,
        "attempts": 0,
        "started_at": tally["started_at"],
        "ended_at": tally["ended_at"],
        "usage": {
            "peak_memory": tally["peak_memory"],
            "cpu_seconds": round(tally["cpu_seconds"], 2),
        },
        "sweep": {"points": spec["points"], "throttle": spec.get("throttle"), **states},
    }


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock; the points of a large sweep end close to each other, on many machines."""
    limit = time.monotonic() + _PATIENCE
    while (lock := locks.acquire(path)) is None:
        if time.monotonic() > limit:
            raise TimeoutError(f"{path} is held by others")
        time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - no secret
    try:
        yield
    finally:
        os.close(lock)
