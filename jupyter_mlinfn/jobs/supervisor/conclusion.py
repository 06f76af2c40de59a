"""The last acts of an attempt: publish once, write the end once."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder, now, read_json
from jupyter_mlinfn.jobs.checkpoints import GAVE_WAY, evictable, lost, moment, newest
from jupyter_mlinfn.jobs.exactness.outputs import note_outputs
from jupyter_mlinfn.jobs.retrying import runs_again
from jupyter_mlinfn.jobs.supervisor.ending import Facts, Verdict, verdict
from jupyter_mlinfn.jobs.supervisor.publishing import NoSpaceError, publish
from jupyter_mlinfn.process.durable import write_durably
from jupyter_mlinfn.process.identity import this_machine

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.supervisor.oversight import Oversight

_NO_SPACE_PAUSE = 5.0
_FULL = (errno.ENOSPC, errno.EDQUOT)
_EARLY = frozenset({"lost", "session-ended", "preempted", "time-limit"})


def conclude(over: Oversight) -> None:
    """Decide how the attempt ended, publish what it made, write ``end.json``."""
    folder = over.folder
    began = _began(folder)
    result = read_json(folder.result)
    found = verdict(
        Facts(
            begun=began is not None,
            result=result,
            stop=over.stop,
            memory_kills=over.group.out_of_memory_kills(),
            restarted=over.restarted,
            no_space=shutil.disk_usage(folder.path).free < 2**16,
            asked_memory=over.slot.memory,
            used_memory=over.use.peak,
            asked_time=over.slot.time,
            ran=time.time() - began.timestamp() if began else 0.0,
            kept=newest(folder.checkpoints) is not None,
        )
    )
    output, kept = None, newest(folder.checkpoints)
    if (again := _again(folder, found)) is not None:
        found = again
    elif began is not None:
        found, output = _published(folder, found, began)
        if output is not None and over.stop is None:
            note_outputs(folder, output)  # not when the time to end is short
    _write_end(
        folder,
        {
            "state": found.state,
            "reason": found.reason,
            "started_at": began.isoformat() if began else None,
            "ended_at": now(),
            "exit_code": (result or {}).get("exit_code"),
            "usage": {"peak_memory": over.use.peak, "cpu_seconds": over.use.cpu_seconds()},
            "output": output,
            "evictions": over.live.evictions + (began is not None and _gave_way(folder, found)),
            "checkpoint_at": moment(kept),
            "lost_seconds": _lost(found, began, kept),
            "host": this_machine().host,
            "accelerators": list(over.slot.accelerators),
        },
    )
    _tidy(folder)


def _again(folder: AttemptFolder, found: Verdict) -> Verdict | None:
    """The end of an attempt that is followed by another one; ``None`` when none follows."""
    if found.state != "failed" or found.reason is None:
        return None
    more = runs_again(folder, folder.spec(), found.reason["code"])
    if more is None:
        return None
    return Verdict("evicted", {**found.reason, "text": found.reason["text"] + more})


def _gave_way(folder: AttemptFolder, found: Verdict) -> bool:
    # a batch system ends what its machine loses by the same signal as what it takes back
    code = (found.reason or {}).get("code")
    return found.state == "evicted" and code in GAVE_WAY and evictable(folder)


def _lost(found: Verdict, began: datetime | None, kept: float | None) -> float | None:
    """What an attempt lost that ended before its time; nothing can be said of other ends."""
    early = (found.reason or {}).get("code") in _EARLY
    return lost(began.timestamp(), time.time(), kept) if early and began is not None else None


def _began(folder: AttemptFolder) -> datetime | None:
    try:
        return datetime.fromisoformat((read_json(folder.begun) or {})["at"])
    except (KeyError, TypeError, ValueError):
        return datetime.fromisoformat(now()) if folder.begun.exists() else None


def _published(
    folder: AttemptFolder, found: Verdict, began: datetime
) -> tuple[Verdict, str | None]:
    """Publish; where that cannot be done the results stay in the job's folder, and we say so."""
    kept = str(folder.notebook) if folder.notebook.exists() else None
    try:
        return found, publish(folder, folder.spec(), began.timestamp())
    except NoSpaceError as error:
        text = (
            f"The disk of {error.filename} is full, so the results are not there. They were kept "
            "in the job's own folder. Free some space and run the job again."
        )
        reason = {"code": "disk-full", "text": text}
        return (found if found.state != "succeeded" else Verdict("failed", reason)), kept
    except (OSError, ValueError) as error:
        text = f"The results could not be put into the output folder ({error}). They were kept here"
        folder.event("note", text=f"{text}: {folder.path}")
        return found, kept


def _write_end(folder: AttemptFolder, end: dict[str, Any]) -> None:
    """Write the end; on a full disk use the reserve, then wait: an end is never given up."""
    folder.reserve.unlink(missing_ok=True)
    while True:
        try:
            write_durably(folder.end, json.dumps(end, indent=1))
        except FileNotFoundError:
            return  # the job's folder was removed: nobody asks for this end any more
        except OSError as error:
            if error.errno not in _FULL:
                raise
            time.sleep(_NO_SPACE_PAUSE)
        else:
            break
    with contextlib.suppress(OSError):
        folder.event("ended", state=end["state"], reason=end["reason"])


def _tidy(folder: AttemptFolder) -> None:
    """Remove the kernel's sockets and the key to them."""
    connection = read_json(folder.connection) or {}
    sockets = Path(str(connection.get("ip", ""))).parent
    if connection.get("transport") == "ipc" and sockets.name.startswith("mlinfn-"):
        shutil.rmtree(sockets, ignore_errors=True)
    folder.connection.unlink(missing_ok=True)
