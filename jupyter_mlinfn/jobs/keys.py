"""Equal submits are one job also where the index does not know it: on another host, or rebuilt.

``keys/<SHA-256 of the key>`` below the data folder holds the id of the job that was made for an
idempotency key. Who submits with a key holds the lock of that file until its job is committed, so
what the file names then was committed, or its submitter died in the middle.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JOB_ID
from jupyter_mlinfn.process import locks

NAME: Final = "key"
"""The file in a job's folder with the key it was submitted with."""

_PATIENCE: Final = 30.0
"""Seconds that another submit with the same key may take."""
_LONGEST_KEY: Final = 200


@dataclass(frozen=True)
class Claim:
    """The held file of one key; ``job``: the id it names, ``None``: none yet."""

    key: str
    descriptor: int
    job: str | None

    def write(self, job: str) -> None:
        """Name the job that is made for the key."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, job.encode(), 0)


@contextmanager
def held(data_dir: Path, key: str) -> Iterator[Claim]:
    """The file of ``key``, for one process at a time.

    Raises :class:`Unavailable` (``submit-going-on``) when an equal submit is not over in time, and
    (``data-folder``) when the folder cannot be used.
    """
    path = _path(data_dir, key)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = _acquire(path)
    except OSError as error:
        text = f"The job could not be written down: {error.strerror}. Nothing was submitted."
        raise Unavailable(text, code="data-folder") from error
    try:
        job = os.pread(descriptor, 64, 0).decode("ascii", "replace")
        yield Claim(key, descriptor, job if JOB_ID.fullmatch(job) else None)
    finally:
        os.close(descriptor)


def forget(data_dir: Path, job_folder: Path) -> None:
    """A job is removed: its key makes a new one. Harmless where there is none."""
    if (key := read(job_folder)) is None:
        return
    path = _path(data_dir, key)
    with suppress(FileNotFoundError):
        if path.read_bytes() == job_folder.name.encode():
            path.unlink()


def read(job_folder: Path) -> str | None:
    """The key a job was submitted with, if it was with one."""
    with suppress(OSError, UnicodeDecodeError):
        key = (job_folder / NAME).read_bytes()[: 4 * _LONGEST_KEY].decode()
        return key if 0 < len(key) <= _LONGEST_KEY else None
    return None


def _acquire(path: Path) -> int:
    until = time.monotonic() + _PATIENCE
    while True:
        descriptor = locks.acquire(path)
        if descriptor is not None:
            if _is_there(path, descriptor):
                return descriptor
            os.close(descriptor)  # its job was removed meanwhile
        elif time.monotonic() > until:
            raise Unavailable(
                "The same job is being submitted elsewhere at this moment. Look at the list of "
                "jobs, then try again.",
                code="submit-going-on",
            )
        else:
            time.sleep(0.02)


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _path(data_dir: Path, key: str) -> Path:
    return data_dir / "keys" / hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
