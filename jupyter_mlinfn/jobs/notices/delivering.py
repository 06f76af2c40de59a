"""Delivering the notices of one job, each once, whoever does it and however often it is tried.

``notices.json`` in the job's folder says whom to tell and how; ``notices/<n>.json`` what became of
it. Both are read by the person alone, for a web address may be a key by itself.

Right before the last of a notice goes out it is written down that it goes: who is killed before
that has delivered nothing, and what was written down is never sent a second time, unless the
receiver said that it did not take it.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder, now, read_json
from jupyter_mlinfn.jobs.notices import mail, webhook
from jupyter_mlinfn.jobs.notices.telling import letter, public, sentence, shown, subject
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.durable import write_durably

PLAN = "notices.json"
_TRIES = 8
_FIRST_PAUSE = 30.0
_LONGEST_PAUSE = 3600.0
_WITHIN = 20.0
_PERHAPS = (
    "perhaps delivered: it went out, and what became of it could not be learnt. It is not sent "
    "again, so that nobody is told twice."
)


def deliver(job_folder: Path, end: Mapping[str, Any]) -> bool:
    """Tell those who are to be told that the job has ended; whether nothing is left to be done.

    ``end``: state, reason, output, times and usage, as ``end.json`` has them, ``attempts`` and of a
    sweep its counts. Raises OSError and ValueError where the job's folder cannot be used.
    """
    plan = read_json(job_folder / PLAN)
    if plan is None:
        return True
    lock = locks.acquire(job_folder / "notices.lock")
    if lock is None:
        return False
    try:
        job = public(json.loads((job_folder / "job.json").read_bytes()), end)
        folder = job_folder / "notices"
        folder.mkdir(mode=0o700, exist_ok=True)
        named = [one for one in plan.get("targets", ()) if one != "lab"]
        done = [_try(folder / f"{n}.json", plan, one, job) for n, one in enumerate(named)]
        return all(done)
    finally:
        os.close(lock)


def deliver_soon(folder: AttemptFolder, end: Mapping[str, Any]) -> None:
    """Tell of the ``end`` of this attempt for good, and never for longer than some seconds: what
    was not told is tried again by whoever looks. The point of a sweep that ends last tells of the
    whole sweep."""
    thread = threading.Thread(target=_quietly, args=(folder, end), daemon=True)
    thread.start()
    thread.join(_WITHIN)


def settled(job_folder: Path) -> bool:
    """Whether all notices were delivered, or given up."""
    named = [one for one in (read_json(job_folder / PLAN) or {}).get("targets", ()) if one != "lab"]
    notes = [read_json(job_folder / "notices" / f"{n}.json") or {} for n in range(len(named))]
    return all(note.get("done") for note in notes)


def fates(job_folder: Path) -> list[tuple[str, str]]:
    """What became of each notice, in words."""
    plan = read_json(job_folder / PLAN) or {}
    found = []
    for number, target in enumerate(one for one in plan.get("targets", ()) if one != "lab"):
        note = read_json(job_folder / "notices" / f"{number}.json") or {}
        found.append((shown(target), str(note.get("text") or "not sent yet")))
    return found


def _quietly(folder: AttemptFolder, end: Mapping[str, Any]) -> None:
    try:
        whole: Mapping[str, Any] | None = {**end, "attempts": int(folder.path.name)}
        if folder.point is not None:
            from jupyter_mlinfn.jobs.notices.digest import note_end

            whole = note_end(folder, end)
        if whole is not None:
            deliver(folder.job_folder, whole)
    except (OSError, ValueError):
        return  # a full disk or a folder that was removed; whoever looks next tries again


def _try(state: Path, plan: Mapping[str, Any], target: str, job: Mapping[str, Any]) -> bool:
    note = read_json(state) or {}
    if note.get("done"):
        return True
    if note.get("sending"):
        # who sent it held the lock that is ours now, so it was killed meanwhile
        write_durably(state, json.dumps({**note, "done": True, "text": _PERHAPS}))
        return True
    if time.time() < note.get("not_before", 0.0):
        return False
    note = {"tries": int(note.get("tries", 0)) + 1, "at": now(), "text": "being sent"}
    delivery = f"{job['id']}-{state.stem}"
    goes = partial(write_durably, state, json.dumps({**note, "sending": True}))
    try:
        if target == "mail":
            mail.send(plan.get("mail") or {}, subject(job), letter(job), delivery, goes)
        else:
            policy = webhook.HookPolicy.of(plan.get("webhooks") or {})
            webhook.post(target, _body(job, delivery), policy, delivery, goes)
    except webhook.Perhaps:
        note |= {"done": True, "text": _PERHAPS}
    except webhook.Undelivered as error:
        note |= _undelivered(error, note["tries"])
    else:
        note |= {"done": True, "text": "sent"}
    write_durably(state, json.dumps(note))
    return bool(note["done"])


def _undelivered(error: webhook.Undelivered, tries: int) -> dict[str, Any]:
    final = error.final or tries >= _TRIES
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries)
    told = f"not delivered: {error}" + ("" if final else " It is tried again.")
    return {"done": final, "not_before": time.time() + pause, "text": told}


def _body(job: Mapping[str, Any], delivery: str) -> bytes:
    told = {"event": "job-ended", "delivery": delivery, "text": sentence(job), "job": job}
    return json.dumps(told).encode()
