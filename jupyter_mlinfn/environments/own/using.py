"""Who uses an environment: processes that run out of its files, and jobs that wait or run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.environments.image.files import FINAL_PREFIX, IMAGES
from jupyter_mlinfn.environments.own.kernels import kernel_name
from jupyter_mlinfn.environments.own.layout import Place, short
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.model.environment_answers import Usage
from jupyter_mlinfn.model.environments import EnvironmentUser, EnvironmentUsers
from jupyter_mlinfn.model.errors import Unavailable

if TYPE_CHECKING:
    import psutil

_CONNECTION = re.compile(r"kernel-([0-9a-f-]{8,64})\.json", re.ASCII)
_JOB = "MLINFN_JOB"
_UNPACKED = "/images/"
"""In the path of every program of an unpacked image (``image/unpacking.py``)."""


@dataclass(frozen=True)
class Running:
    """A process of this person: its program, its words and images, when it started."""

    pid: int
    program: str
    words: tuple[str, ...]
    since: datetime

    def runs_in(self, folder: Path) -> bool:
        """Whether its program lies below ``folder``."""
        return self.program.startswith(f"{folder}{os.sep}")

    def names(self, path: str) -> bool:
        """Whether its command line names a file, as one that runs out of an image does."""
        return any(path in word for word in self.words)

    @property
    def of_a_job(self) -> bool:
        """Whether the runner started it: it says so in the environment of all its processes."""
        import psutil

        try:
            return _JOB in psutil.Process(self.pid).environ()
        except psutil.Error:
            return False

    def as_usage(self) -> Usage:
        """For people: a kernel by its Jupyter name, anything else by its program."""
        for word in self.words:
            if found := _CONNECTION.search(word):
                return Usage(kind="kernel", id=found[1], name=f"kernel {found[1][:8]}")
        return Usage(kind="kernel", id=str(self.pid), name=f"process {self.pid}")


def running() -> tuple[Running, ...]:
    """This person's processes whose program can be told, as they are now."""
    import psutil

    mine, found = os.getuid(), []
    for process in psutil.process_iter():
        try:
            if process.uids().real != mine:
                continue
            with process.oneshot():
                found.append(
                    Running(
                        pid=process.pid,
                        program=process.exe(),
                        words=(*process.cmdline(), *_images(process)),
                        since=datetime.fromtimestamp(process.create_time(), UTC),
                    )
                )
        except psutil.Error:
            continue  # it has ended, or hides itself
    return tuple(found)


def _images(process: psutil.Process) -> tuple[str, ...]:
    """The images that it runs out of, as the launcher noted in its environment."""
    program = process.exe()
    if not (program.startswith(f"{FINAL_PREFIX}/") or _UNPACKED in program):
        return ()
    import psutil

    try:
        noted = process.environ().get(IMAGES, "")
    except psutil.AccessDenied:
        return ()  # it changed its user: then it is known by its words alone
    return tuple(noted.split(os.pathsep)) if noted else ()


@dataclass(frozen=True)
class Users:
    """Processes and jobs, looked at once for a whole list of environments."""

    processes: tuple[Running, ...]
    jobs: tuple[EnvironmentUser, ...]
    jobs_known: bool = True

    @classmethod
    def now(cls, jobs: EnvironmentUsers | None) -> Users:
        """Raises :class:`Unavailable` when the jobs cannot be asked."""
        return cls(running(), jobs.unfinished() if jobs else ())

    @classmethod
    def as_far_as_known(cls, jobs: EnvironmentUsers | None) -> Users:
        """For showing only: without the jobs when those cannot be asked."""
        try:
            return cls.now(jobs)
        except Unavailable:
            return cls(running(), (), jobs_known=False)

    def of_prefix(self, prefix: Path, digest: str, images: Iterable[str] = ()) -> tuple[Usage, ...]:
        """Who uses one lock: its prefix or one of its images. A job's processes are the job.

        The first digits of ``digest`` are enough.
        """
        real = Path(os.path.realpath(prefix))
        paths = tuple(images)
        kernels = [
            one.as_usage()
            for one in self.processes
            if (one.runs_in(real) or any(one.names(path) for path in paths)) and not one.of_a_job
        ]
        jobs = [
            Usage(kind="job", id=job.job, name=job.name)
            for job in self.jobs
            if job.digest and short(job.digest) == short(digest)
        ]
        return (*kernels, *jobs)

    def of_record(self, place: Place, record: EnvironmentRecord) -> tuple[Usage, ...]:
        """Who uses any state of an own environment.

        A job may wait in a state whose files are gone: it is known by the environment's name.
        """
        images = [image.path for image in record.images]
        found: list[Usage] = []
        for entry in record.history:
            found += self.of_prefix(place.prefix(entry.digest), entry.digest, images)
        found += [
            Usage(kind="job", id=job.job, name=job.name)
            for job in self.jobs
            if job.environment in (record.name, kernel_name(record.name))
        ]
        return tuple({(use.kind, use.id): use for use in found}.values())

    def newest_start(self, prefix: Path) -> datetime | None:
        """When the newest process that runs in ``prefix`` was started."""
        real = Path(os.path.realpath(prefix))
        return max((one.since for one in self.processes if one.runs_in(real)), default=None)
