"""One process at a time does one kind of thing with a job: a lock in its folder says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_mlinfn.model.errors import NotFound, Unavailable
from jupyter_mlinfn.process import locks


@contextmanager
def alone(job_folder: Path, lock: str, busy: str, *, code: str) -> Iterator[None]:
    """Hold the lock ``lock`` of the job meanwhile; it ends with the process.

    Raises :class:`Unavailable` with the text ``busy`` and this ``code`` while another process has
    it, and :class:`NotFound` (``job-not-found``) when the job's folder is gone.
    """
    try:
        descriptor = locks.acquire(job_folder / lock)
    except FileNotFoundError as error:
        text = f"The folder of job {job_folder.name} is gone."
        raise NotFound(text, code="job-not-found") from error
    if descriptor is None:
        raise Unavailable(busy, code=code)
    try:
        yield
    finally:
        os.close(descriptor)
