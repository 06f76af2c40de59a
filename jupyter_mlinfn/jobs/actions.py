"""What people do with jobs: cancel, delete, clean up, look closer, open a kernel where one ran."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs import amending
from jupyter_mlinfn.jobs.cancelling import cancel, cancel_points
from jupyter_mlinfn.jobs.exactness.fingerprint import fingerprint
from jupyter_mlinfn.jobs.exactness.reading import read_verdict, with_nodes
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.follow import JobFollower
from jupyter_mlinfn.jobs.history import completed
from jupyter_mlinfn.jobs.releasing import Releasing, offer
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, PartMissing, Problem
from jupyter_mlinfn.model.jobs import (
    ENDED,
    CleanupItem,
    CleanupPlan,
    CleanupRequest,
    DebugKernel,
    JobDetails,
    JobRecord,
)
from jupyter_mlinfn.model.releasing import ReleaseRequest

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.jobs.store import JobStore


class JobActions:
    """The verbs on existing jobs. All raise :class:`NotFound` for a job that is not there."""

    def __init__(
        self, store: JobStore, folders: JobFolders, backends: Mapping[str, Backend]
    ) -> None:
        self._store = store
        self._folders = folders
        self._backends = backends
        self._follower = JobFollower(store, folders)

    def cancel(self, job: str) -> JobRecord:
        """End a job. Raises :class:`Conflict` (``job-ended``) when it has ended in another way."""
        record = self._store.get(job)
        if record.state in ENDED:
            if record.state == "cancelled":
                return record
            raise Conflict(f"The job {record.name} has already {record.state}.", code="job-ended")
        return cancel(self._store, self._folders, self._backend(record), record)

    def cancel_points(self, job: str, points: Sequence[int]) -> JobRecord:
        """End some points of a sweep; the others go on. Harmless for those that have ended.

        Raises :class:`NotFound` (``no-sweep``, ``point-not-found``), :class:`PartMissing`.
        """
        record = self._store.get(job)
        return cancel_points(self._store, self._folders, self._backend(record), record, points)

    def release(self, job: str, wanted: ReleaseRequest | None = None) -> JobRecord:
        """Let a job go that its batch system holds, asking for what is ``wanted`` from now on; see
        :class:`~jupyter_mlinfn.jobs.releasing.Releasing`."""
        releasing = Releasing(self._store, self._folders, self._backends)
        return releasing.release(job, wanted or ReleaseRequest())

    def delete(self, job: str, *, outputs: bool = False) -> None:
        """Remove an ended job: its folder and its row, and with ``outputs`` its output folder.

        Raises :class:`Conflict` (``job-active``) while it has not ended.
        """
        record = self._store.get(job)
        if record.state not in ENDED:
            raise Conflict(
                f"The job {record.name} has not ended. Cancel it first, then delete it.",
                code="job-active",
            )
        if outputs:
            _remove_output(record)
        # the folder first: a row without a folder can be deleted again
        self._folders.remove(record.id)
        self._store.delete(record.id)

    def cleanup(self, request: CleanupRequest) -> CleanupPlan:
        """Remove old ended jobs, or say which and how large they are (``dry_run``)."""
        limit = datetime.now(UTC) - timedelta(seconds=request.older_than)
        records = self._store.ended_before(limit, request.states)
        items = tuple(self._item(record, outputs=request.outputs) for record in records)
        failed = [] if request.dry_run else self._remove_all(records, outputs=request.outputs)
        return CleanupPlan(
            items=items,
            size=sum(item.size for item in items),
            done=not request.dry_run,
            failed=tuple(failed),
        )

    def debug_kernel(self, job: str) -> DebugKernel:
        """The kernel of the job's environment and the folder where the job worked."""
        spec = self._folders.read_spec(self._store.get(job).id)
        names = {file.path.split("/")[0] for file in spec.files if file.role == "module"}
        note = None
        if names:
            modules = self._folders.bundle(spec.id) / "modules"
            note = (
                f"The job used its own copies of {', '.join(sorted(names))}, as they were when it "
                f"was submitted. They are in {modules}."
            )
        return DebugKernel(kernel_name=spec.environment.kernel.name, folder=spec.workdir, note=note)

    def details(self, job: str) -> JobDetails:
        """All that is known of a job."""
        record = self._store.get(job)
        spec = self._folders.read_spec(record.id)
        folder = self._folders.job(record.id)
        return JobDetails(
            job=record,
            spec=spec,
            attempts=with_nodes(completed(self._store.attempts(record.id), folder), folder),
            values=self._follower.values(record.id),
            fingerprint=fingerprint(spec),
            verdict=read_verdict(self._folders, record.id),
            amendments=amending.read(folder),
            release=offer(self._folders, self._backends, record),
        )

    def _backend(self, record: JobRecord) -> Backend:
        backend = self._backends.get(record.backend)
        if backend is None:
            what = "job" if record.sweep is None else "sweep"
            raise PartMissing(
                f"The back-end {record.backend} of this {what} is not here, so it cannot be asked. "
                f"The {what} stays as it is.",
                code="backend-missing",
            )
        return backend

    def _item(self, record: JobRecord, *, outputs: bool) -> CleanupItem:
        output = _own_output(record) if outputs else None
        size = _size(self._folders.job(record.id)) + (_size(output) if output else 0)
        return CleanupItem(
            id=record.id,
            name=record.name,
            ended_at=record.ended_at,
            size=size,
            output_folder=str(output) if output else None,
        )

    def _remove_all(self, records: list[JobRecord], *, outputs: bool) -> list[Problem]:
        failed: list[Problem] = []
        for record in records:
            try:
                self.delete(record.id, outputs=outputs)
            except MlinfnError as error:
                failed += error.problems
            except OSError as error:
                text = f"{record.name} ({record.id}) could not be removed: {error.strerror}."
                failed.append(Problem(code="not-removed", text=text))
        return failed


def _own_output(record: JobRecord) -> Path | None:
    """The output folder if it is there and belongs to this job alone, as its name tells."""
    folder = Path(record.output_folder)
    if record.id not in folder.name or folder.is_symlink() or not folder.is_dir():
        return None
    return folder


def _remove_output(record: JobRecord) -> None:
    folder = _own_output(record)
    if folder is not None:
        shutil.rmtree(folder)


def _size(folder: Path) -> int:
    """Bytes of all files below ``folder``; links are not followed."""
    total = 0
    for where, _folders, names in os.walk(folder):
        for name in names:
            try:
                total += Path(where, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total
