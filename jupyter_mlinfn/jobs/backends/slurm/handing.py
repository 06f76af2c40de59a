"""Handing a job to Slurm once, whoever is killed on the way.

``slurm.json`` in the job's folder is written before ``sbatch`` is called and after it answered.
A try whose answer nobody heard is looked for by the job's name and token; while it may still be
on its way, nothing is submitted again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.jobs.backends.slurm.calls import Calls
from jupyter_mlinfn.jobs.backends.slurm.parsing import SlurmJob
from jupyter_mlinfn.jobs.backends.slurm.script import NAME, options, script
from jupyter_mlinfn.jobs.backends.slurm.states import phase
from jupyter_mlinfn.model.errors import NotFound, Unavailable
from jupyter_mlinfn.model.jobs import JobSpec
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.durable import write_durably

_ON_ITS_WAY: Final = 40.0
"""Seconds after which an ``sbatch`` that was called is surely over: it is killed before."""


class Note(BaseModel):
    """``slurm.json``. ``id``: Slurm's newest number of the job; ``tried_at``: seconds since the
    epoch of the newest call, ``answered``: whether it gave a number; ``again``: how often the job
    was handed over again after Slurm had lost it.
    """

    id: str | None = None
    tried_at: float = 0.0
    answered: bool = False
    again: int = 0


def read_note(job_folder: Path) -> Note:
    """What is noted; an empty note where there is none."""
    try:
        return Note.model_validate_json((job_folder / "slurm.json").read_bytes())
    except (OSError, ValidationError):
        return Note()


class Handing:
    """Submits. ``site`` are the settings' defaults for queue, account and QoS."""

    def __init__(self, calls: Calls, site: Mapping[str, str]) -> None:
        self._calls = calls
        self._site = site

    def submit(self, spec: JobSpec, job_folder: Path, limit: int | None) -> str:
        """Slurm's number of the job, submitted now or found. ``limit``: the queue's, in seconds.

        Raises :class:`~jupyter_mlinfn.model.errors.Refused` when Slurm will never take it, and
        :class:`Unavailable` while nobody can say.
        """
        return self._locked(spec, job_folder, limit, after=None)

    def again(
        self, spec: JobSpec, job_folder: Path, limit: int | None, after: str | None, *, lost: bool
    ) -> str:
        """Submit once more what was the job ``after``, which Slurm lost or did not start again.

        Of several processes that find that out, one submits.
        """
        return self._locked(spec, job_folder, limit, after=after, lost=lost)

    def _locked(
        self,
        spec: JobSpec,
        job_folder: Path,
        limit: int | None,
        *,
        after: str | None,
        lost: bool = False,
    ) -> str:
        try:
            lock = locks.acquire(job_folder / "slurm.lock")
        except FileNotFoundError as error:
            raise NotFound(f"The folder of job {spec.id} is gone.", code="job-not-found") from error
        if lock is None:
            raise Unavailable("The job is being handed over to Slurm.", code="slurm-busy")
        try:
            note = read_note(job_folder)
            if note.id is not None and note.id != after:
                return note.id
            if note.tried_at and (found := self._find(spec, note, after)):
                _write(job_folder, note.model_copy(update={"id": found, "answered": True}))
                return found
            note = Note(id=note.id, tried_at=time.time(), again=note.again + lost)
            _write(job_folder, note)
            number = self._calls.submit(
                options(spec, job_folder, self._site, limit), script(job_folder)
            )
            _write(job_folder, note.model_copy(update={"id": number, "answered": True}))
            return number
        finally:
            os.close(lock)

    def _find(self, spec: JobSpec, note: Note, after: str | None) -> str | None:
        """The job an earlier call made, if any. Raises while that call may still be going on."""
        present = self._calls.named(NAME + spec.id)
        mine = [job for job in present if job.comment == spec.token]
        if after is not None:  # what is over is what is handed over again
            mine = [job for job in mine if phase(job) != "over"]
        if mine:
            return current(mine).id
        if not note.answered and time.time() - note.tried_at < _ON_ITS_WAY:
            raise Unavailable(
                "Slurm did not say whether it took the job; we look for it before we ask again.",
                code="slurm-unclear",
            )
        return None


def current(jobs: list[SlurmJob]) -> SlurmJob:
    """Of several jobs with one name the one that counts: one that is not over, else the newest."""
    going = [job for job in jobs if phase(job) != "over"]
    return (going or jobs)[-1]


def _write(job_folder: Path, note: Note) -> None:
    write_durably(job_folder / "slurm.json", note.model_dump_json())
