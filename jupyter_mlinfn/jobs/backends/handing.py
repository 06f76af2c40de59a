"""Handing a job to a batch system once, whoever is killed on the way.

``<system>.json`` in the job's folder is written before the system is called and after it answered.
A try whose answer nobody heard is looked for by the job's token; while it may still be on its way,
nothing is submitted again.

The word before the call outlives every process, but is not waited for on the disk while the job is
new: a power cut that takes it takes longer, and a job that is older is looked for in any case.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.jobs.alone import alone
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.process.durable import write_atomically, write_durably

_NEW: Final = timedelta(seconds=10)
"""No machine is up again so soon after a power cut."""


class Note(BaseModel):
    """``<system>.json``. ``id``: the system's newest number of the job; ``tried_at``: seconds since
    the epoch of the newest call, ``answered``: whether it gave a number; ``again``: how often the
    job was handed over again after the system had lost it.
    """

    id: str | None = None
    tried_at: float = 0.0
    answered: bool = False
    again: int = 0


@dataclass(frozen=True)
class Handing:
    """Hands over the jobs of one system.

    ``name`` is the back-end's and ``title`` what people call the system; ``on_its_way`` seconds
    after a call nothing of it can arrive any more.
    """

    name: str
    title: str
    on_its_way: float = 40.0

    def note(self, job_folder: Path) -> Note:
        """What is noted; an empty note where there is none. A damaged one says that there was a
        call whose answer nobody knows."""
        path = job_folder / f"{self.name}.json"
        try:
            return Note.model_validate_json(path.read_bytes())
        except OSError:
            return Note()
        except ValidationError:
            return Note(tried_at=path.stat().st_mtime)

    def once(
        self,
        job_folder: Path,
        find: Callable[[], str | None],
        submit: Callable[[], str],
        *,
        submitted_at: datetime,
        after: str | None = None,
        lost: bool = False,
    ) -> str:
        """The system's number of the job, submitted now or found by ``find`` before.

        ``submitted_at``: when the person did.

        ``after`` is the number of the start that is over and that this call follows: of several
        processes that find that out, one submits. ``lost``: the system had lost that one.

        Raises :class:`~jupyter_mlinfn.model.errors.Refused` when the system will never take it,
        and :class:`Unavailable` while nobody can say.
        """
        text = f"The job is being handed over to {self.title}."
        with alone(job_folder, f"{self.name}.lock", text, code=f"{self.name}-busy"):
            note = self.note(job_folder)
            if note.id is not None and note.id != after:
                return note.id
            new = is_new(submitted_at)
            if note.tried_at or (note.id is None and not new):
                if (found := find()) is not None:
                    self._write(job_folder, note.model_copy(update={"id": found, "answered": True}))
                    return found
                self._may_not_arrive(note)
            note = Note(id=note.id, tried_at=time.time(), again=note.again + lost)
            self._write(job_folder, note, durably=not new)
            number = submit()
            self._write(job_folder, note.model_copy(update={"id": number, "answered": True}))
            return number

    def _may_not_arrive(self, note: Note) -> None:
        """Raises while a call that nobody heard the answer of may still be going on."""
        if not note.answered and time.time() - note.tried_at < self.on_its_way:
            raise Unavailable(
                f"{self.title} did not say whether it took the job; we look for it before we "
                "ask again.",
                code=f"{self.name}-unclear",
            )

    def _write(self, job_folder: Path, note: Note, *, durably: bool = True) -> None:
        write = write_durably if durably else write_atomically
        write(job_folder / f"{self.name}.json", note.model_dump_json())


def is_new(submitted_at: datetime) -> bool:
    """Whether no power cut can have come between the submit and now."""
    return abs(datetime.now(UTC) - submitted_at) < _NEW
