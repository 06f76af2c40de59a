"""The job folders: each alone tells the whole story of its job.

::

    jobs/<id>/job.json request.json committed cancel key
              points.jsonl, points/<k>/cancel attempts/<n>/…      (a sweep's)
              bundle/    notebook.ipynb | script.py, modules/, kernel.json, environment.json,
                         conda-lock.yml where the environment has a lock
              attempts/<n>/claim.json … end.json      (written by dispatcher, supervisor, runner)
    keys/<digest>        the id of the job that was submitted with this idempotency key
    staging/<id>/        being written; renamed to jobs/<id> when complete

The database is an index over these folders and can be rebuilt from them.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.jobs import keys
from jupyter_mlinfn.model.environments import EnvironmentRef, Package
from jupyter_mlinfn.model.errors import NotFound, Unavailable
from jupyter_mlinfn.model.jobs import JOB_ID, JobRequest, JobSpec
from jupyter_mlinfn.process.durable import sync_folder, touch_durably

Model = TypeVar("Model", bound=BaseModel)

_ATTEMPT: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class BundledEnvironment(BaseModel):
    """``bundle/environment.json``: the reference and the inventory behind its digest."""

    ref: EnvironmentRef
    packages: tuple[Package, ...] = ()


@dataclass(frozen=True)
class RecordedLock:
    """The locked environment of an earlier job, and the ``conda-lock.yml`` it was made from."""

    ref: EnvironmentRef
    packages: tuple[Package, ...]
    text: str


class JobFolders:
    """Where everything of a job lies below ``data_dir``; knows names, not states."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.jobs = data_dir / "jobs"
        self.staging = data_dir / "staging"

    def create(self) -> None:
        """Make the folders, for this person alone. Raises :class:`Unavailable` with the reason."""
        try:
            for folder in (self.data_dir, self.jobs, self.staging):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"The folder for jobs, {self.data_dir}, cannot be used: {error.strerror}. "
                "Free some space or choose another folder (data_dir in the settings).",
                code="data-folder",
            ) from error

    def job(self, job: str) -> Path:
        """The folder of a job; a name that is no job id is refused with :class:`NotFound`."""
        if not JOB_ID.fullmatch(job):
            raise NotFound("There is no job with this name.", code="job-not-found")
        return self.jobs / job

    def bundle(self, job: str) -> Path:
        """What was captured at submit."""
        return self.job(job) / "bundle"

    def point(self, job: str, number: int) -> Path:
        """The folder of one point of a sweep (0 is the first); made when it starts."""
        return self.job(job) / "points" / str(number)

    def attempt(self, job: str, number: int, point: int | None = None) -> Path:
        """The folder of one attempt (1 is the first), of a point where one is named."""
        home = self.job(job) if point is None else self.point(job, point)
        return home / "attempts" / str(number)

    def attempts(self, job: str, point: int | None = None) -> list[int]:
        """The numbers of the attempts that have a folder, ascending."""
        try:
            names = [entry.name for entry in self.attempt(job, 1, point).parent.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(int(name) for name in names if _ATTEMPT.fullmatch(name))

    def all(self) -> list[str]:
        """The ids of all job folders, committed or not, in no order."""
        try:
            return [entry.name for entry in self.jobs.iterdir() if JOB_ID.fullmatch(entry.name)]
        except FileNotFoundError:
            return []

    def read_spec(self, job: str) -> JobSpec:
        """The job's immutable spec. :class:`NotFound` when the folder is gone or damaged."""
        return _read(self.job(job) / "job.json", JobSpec, job)

    def read_request(self, job: str) -> JobRequest:
        """What the person asked for. :class:`NotFound` when the folder is gone or damaged."""
        return _read(self.job(job) / "request.json", JobRequest, job)

    def read_environment(self, job: str) -> BundledEnvironment:
        """The recorded environment with its packages."""
        return _read(self.bundle(job) / "environment.json", BundledEnvironment, job)

    def recorded_lock(self, name: str, digest: str) -> RecordedLock | None:
        """The environment ``name`` as a job recorded it; ``digest``: the first digits of its lock.

        Looks through the folders of all jobs, the newest first.
        """
        wanted = "sha256:" + digest.removeprefix("sha256:")
        locks = {lock: lock.stat().st_mtime for lock in self.jobs.glob("*/bundle/conda-lock.yml")}
        for lock in sorted(locks, key=lambda path: locks[path], reverse=True):
            try:
                recorded = self.read_environment(lock.parent.parent.name)
            except NotFound:
                continue
            ref = recorded.ref
            named = name in (ref.name, ref.kernel.name)
            if named and ref.digest and ref.digest.startswith(wanted):
                return RecordedLock(ref, recorded.packages, lock.read_text(encoding="utf-8"))
        return None

    def new_staging(self, job: str) -> Path:
        """An empty folder in which the job's folder is written."""
        self.create()
        folder = self.staging / job
        folder.mkdir(mode=0o700)
        return folder

    def adopt_staging(self, job: str) -> Path:
        """Give the complete and synced staging folder its final name, durably."""
        target = self.job(job)
        (self.staging / job).rename(target)
        sync_folder(self.jobs)
        return target

    def discard_staging(self, job: str) -> None:
        """Remove what a failed submit had written."""
        shutil.rmtree(self.staging / job, ignore_errors=True)

    def mark_committed(self, job: str) -> None:
        """Note beside the files that the row is in the database.

        The row is what must survive a power cut; this survives the death of any process, and
        the reconciler writes it again for a row that has none.
        """
        (self.job(job) / "committed").touch(mode=0o600)

    def committed(self, job: str) -> bool:
        """Whether the job was really submitted (attempts prove it as well as the marker)."""
        folder = self.job(job)
        return (folder / "committed").exists() or (folder / "attempts").exists()

    def complete(self, job: str) -> bool:
        """Whether all that a submit writes is there, committed or not."""
        try:
            return self.read_spec(job).id == job and self.read_request(job) is not None
        except NotFound:
            return False

    def request_cancel(self, job: str, point: int | None = None) -> None:
        """Leave the durable word that this job, or one point of it, shall end.

        :class:`NotFound` without folder.
        """
        try:
            home = self.job(job)
            if point is not None:
                (home / "points").mkdir(mode=0o700, exist_ok=True)
                home = self.point(job, point)
                home.mkdir(mode=0o700, exist_ok=True)
            touch_durably(home / "cancel")
        except FileNotFoundError as error:
            raise _gone(job) from error

    def cancel_requested(self, job: str) -> bool:
        """Whether :meth:`request_cancel` was called."""
        return (self.job(job) / "cancel").exists()

    def remove(self, job: str) -> None:
        """Remove the job's folder; nobody sees a half of it. Harmless when it is gone."""
        folder = self.job(job)
        self.staging.mkdir(mode=0o700, exist_ok=True)
        aside = self.staging / f"{job}.removed"
        keys.forget(self.data_dir, folder)
        try:
            folder.rename(aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside, ignore_errors=True)

    def discard(self, folder: Path) -> None:
        """Remove one of :meth:`garbage`."""
        shutil.rmtree(folder, ignore_errors=True)

    def garbage(self, older_than: float, strangers: Iterable[str]) -> Iterator[Path]:
        """Left-overs of submits that never were committed, older than so many seconds:
        in staging, and those of the job folders ``strangers``, which have no row."""
        limit = time.time() - older_than
        left = [self.jobs / job for job in strangers if not self.committed(job)]
        if self.staging.is_dir():
            left += self.staging.iterdir()
        for folder in left:
            try:
                if folder.stat().st_mtime < limit:
                    yield folder
            except FileNotFoundError:
                continue


def _read(path: Path, kind: type[Model], job: str) -> Model:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _gone(job) from error
    except ValidationError as error:
        raise NotFound(
            f"The folder of job {job} is damaged: {path.name} cannot be read. "
            "Delete the job, or restore the folder from a backup.",
            code="bundle-damaged",
        ) from error


def _gone(job: str) -> NotFound:
    return NotFound(f"The folder of job {job} is gone.", code="job-not-found")
