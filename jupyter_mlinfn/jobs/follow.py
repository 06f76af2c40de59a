"""Following a job while it runs and after: its log, values, progress and notebook.

What the job's code wrote is text and is passed on as text; nothing in it is interpreted here.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from jupyter_mlinfn.jobs.attempt import read_json
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.jobs import ENDED, LogChunk, Progress
from jupyter_mlinfn.model.using import Using

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.store import JobStore

PIECE: Final = 256 * 2**10
LARGEST_PIECE: Final = 4 * 2**20
LONGEST_LINE: Final = 500
"""Characters of a log line that are shown as progress."""

_TAIL: Final = 64 * 2**10
_UTF8: Final = 4


class JobFollower:
    """Reads what jobs write, cheaply also when it is long."""

    def __init__(self, store: JobStore, folders: JobFolders) -> None:
        self._store = store
        self._folders = folders

    def read_log(
        self, job: str, start: int = 0, limit: int = PIECE, *, point: int | None = None
    ) -> LogChunk:
        """Log text of the newest attempt from byte ``start`` on, at most ``limit`` bytes.

        Never cuts a character. ``start`` beyond the end gives the log from its beginning: another
        attempt has begun. ``ended``: the job has ended and there is no more to come.
        """
        if start < 0 or not 1 <= limit <= LARGEST_PIECE:
            raise InputError(
                f"A log is read from byte 0 on, 1 to {LARGEST_PIECE} bytes at a time.",
                code="bad-number",
                field="start" if start < 0 else "limit",
            )
        # the state first: what is written before the end is then surely read
        asked = self._store.get(job) if point is None else self._store.points.get(job, point)
        ended = asked.state in ENDED
        folder = self._newest(job, point)
        if folder is None:
            return LogChunk(text="", start=0, next=0, size=0, ended=ended)
        return read_chunk(folder / "log.txt", start, limit, ended=ended)

    def notebook(self, job: str, point: int | None = None) -> Path:
        """The notebook as far as it is: the published one, else the newest partial, else the input.

        Of one ``point``, where it is given. Raises :class:`NotFound` when there is none (a script).
        """
        record = self._store.get(job)
        output = record.output if point is None else self._store.points.get(record.id, point).output
        newest = self._newest(record.id, point)
        places = [Path(output)] if output else []
        places += [newest / "notebook.ipynb"] if newest else []
        places.append(self._folders.bundle(record.id) / "notebook.ipynb")
        for path in places:
            if path.suffix == ".ipynb" and path.is_file():
                return path
        raise NotFound("This job has no notebook.", code="no-notebook")

    def progress(self, job: str, attempt: int | None = None) -> Progress:
        """How far an attempt (the newest) is; empty when there is none."""
        folder = self._newest(job) if attempt is None else self._folders.attempt(job, attempt)
        return Progress() if folder is None else read_progress(folder)

    def values(self, job: str, limit: int = 200) -> tuple[dict[str, Any], ...]:
        """The newest ``mlinfn.record(...)`` of the newest attempt, oldest first."""
        folder = self._newest(job)
        if folder is None:
            return ()
        return tuple(tail_documents(folder / "values.jsonl"))[-limit:]

    def _newest(self, job: str, point: int | None = None) -> Path | None:
        numbers = self._folders.attempts(job, point)
        return self._folders.attempt(job, numbers[-1], point) if numbers else None


def read_chunk(path: Path, start: int, limit: int, *, ended: bool) -> LogChunk:
    """A piece of a growing UTF-8 file; bytes that are no UTF-8 become U+FFFD."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            start = start if start <= size else 0
            stream.seek(start)
            data = stream.read(max(limit, _UTF8))
    except FileNotFoundError:
        return LogChunk(text="", start=0, next=0, size=0, ended=ended)
    size = max(size, start + len(data))
    last = ended and start + len(data) == size
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=last)
    kept_back = 0 if last else len(decoder.getstate()[0])
    position = start + len(data) - kept_back
    return LogChunk(
        text=text, start=start, next=position, size=size, ended=ended and position >= size
    )


def read_progress(folder: Path) -> Progress:
    """How far the attempt in ``folder`` is, from the ends of its files: cheap for long ones."""
    told: dict[str, Any] = {}
    for event in tail_documents(folder / "events.jsonl"):
        told |= {name: event[name] for name in ("cells_done", "cells_total") if name in event}
        if event.get("kind") == "cell-start":
            told["current_cell"] = event.get("cell")
        elif event.get("kind") in ("cell-done", "ended"):
            told["current_cell"] = None
        told["at"] = event.get("at")
    for document in tail_documents(folder / "values.jsonl"):
        values = document.get("values")
        told |= {"values": values, "at": document.get("at")} if isinstance(values, dict) else {}
    told["last_line"] = _last_line(folder / "log.txt")
    told["using"] = _using(folder)
    try:
        return Progress.model_validate(told)
    except ValidationError:
        # the job's code can write these files; what is no progress is shown as none
        return Progress(last_line=told["last_line"])


def _using(folder: Path) -> dict[str, Any] | None:
    """What the attempt uses now, while it runs."""
    if (folder / "end.json").exists():
        return None
    live = read_json(folder / "live.json")
    return live and {name: live.get(name) for name in Using.model_fields}


def tail_documents(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects in the last part of a file of lines; damaged lines are left out."""
    return documents(_tail(path).splitlines())


def documents(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects among ``lines``."""
    for line in lines:
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            yield document


def _last_line(path: Path) -> str | None:
    for line in reversed(_tail(path).decode("utf-8", "replace").splitlines()):
        if line.strip():
            return line.strip()[:LONGEST_LINE]
    return None


def _tail(path: Path) -> bytes:
    """The last whole lines of a file, up to 64 KiB; a longer last line begins in its middle."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _TAIL))
            data = stream.read(_TAIL)
    except FileNotFoundError:
        return b""
    if size <= _TAIL:
        return data
    _, line_end, whole = data.partition(b"\n")
    return whole if line_end and whole else data
