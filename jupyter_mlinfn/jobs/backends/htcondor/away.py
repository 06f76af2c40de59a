"""Jobs of pools whose machines see none of our folders: sent as a parcel, brought home again.

HTCondor keeps what came back until it is fetched. So a job is over for us only when that is home:
until then :meth:`Away.word` says that it runs. Everything here may be killed and done again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.attempt import PUBLISHED, AttemptFolder, read_json
from jupyter_mlinfn.jobs.backends.htcondor import there
from jupyter_mlinfn.jobs.backends.htcondor.describing import listed, plain
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.travel import archive, giving, home, parcel
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobId
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.detach import isolation
from jupyter_mlinfn.process.durable import write_durably

_log = logging.getLogger(__name__)

FOLDER: Final = "away"
"""In the job's folder: the parcel while it is sent, and what comes home before it is taken."""

PROGRAM: Final = "jupyter_mlinfn.jobs.backends.htcondor.there"
_CANCELLED_THERE: Final = "The job was cancelled in HTCondor before it had ended"
_KEPT_SO_FAR: Final = "What it had written so far was kept."
_REMOVED: Final = 3
_ENDS_WITHIN: Final = 240.0
"""Seconds for which a job that was removed is waited for: it saves what it has."""
_KEPT: Final = 10 * 86400
_KEPT_REMOVED: Final = 600
_WAITED_FOR: Final = 5.0
"""Seconds that one look at all jobs waits for those that come home; the rest comes beside it."""


@dataclass(frozen=True)
class Due:
    """What is to be fetched: of which start, and which of its news; ``whole``: it is over."""

    starts: int
    news: int
    whole: bool


class Away:
    """``fetch`` asks HTCondor to write what it keeps of a cluster into the folder ``away``."""

    def __init__(self, folders: JobFolders, fetch: Callable[[str], None]) -> None:
        self._folders = folders
        self._fetch = fetch
        self._errands: dict[int, _Errand] = {}
        self._brought: dict[int, Due] = {}
        self._removed: dict[int, float] = {}

    # --- going ----------------------------------------------------------------------------------

    def pack(self, job_folder: Path) -> int:
        """Write the parcel; how many bytes are to be sent, with the images. Raises
        :class:`Refused`, :class:`NotFound` and OSError."""
        folder = job_folder / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        with (folder / there.PARCEL).open("wb") as target:
            parcel.pack(job_folder, target)
        sizes = [path.stat().st_size for path in parcel.images(job_folder).values()]
        return sum(sizes) + (folder / there.PARCEL).stat().st_size

    def sent(self, job_folder: Path) -> None:
        """The parcel is with HTCondor."""
        (job_folder / FOLDER / there.PARCEL).unlink(missing_ok=True)

    # --- home -----------------------------------------------------------------------------------

    def words(
        self, jobs: Mapping[JobId, CondorJob], words: Mapping[JobId, Word]
    ) -> dict[JobId, Word]:
        """The words on these jobs, as they are for us: over only when all is home."""
        told, until = dict(words), time.monotonic() + _WAITED_FOR
        due = {job: one for job, ad in jobs.items() if (one := self._due(ad, words[job]))}
        for job in due:
            self._start(job, jobs[job], due[job])
        for job, one in due.items():
            ad = jobs[job]
            home_now = self._is_home(job, ad, one, max(0.0, until - time.monotonic()))
            if not home_now and (one.whole or words[job].phase == "waits"):
                told[job] = replace(words[job], phase="runs", waits=None)
        self._forget_others({ad.cluster for ad in jobs.values()})
        return told

    def _due(self, ad: CondorJob, word: Word) -> Due | None:
        """What of this job is not home; ``None``: everything there is."""
        if not ad.starts and not ad.news:
            return None
        one = Due(ad.starts, ad.news, word.phase == "over")
        return None if self._brought.get(ad.cluster) == one else one

    def _start(self, job: JobId, ad: CondorJob, due: Due) -> None:
        if ad.cluster not in self._errands:
            removed = ad.status == _REMOVED
            errand = _Errand(lambda: self._bring(job, ad.cluster, removed=removed), due)
            self._errands[ad.cluster] = errand
            errand.start()

    def _is_home(self, job: JobId, ad: CondorJob, due: Due, patience: float) -> bool:
        errand = self._errands[ad.cluster]
        errand.join(patience)
        if errand.is_alive():
            return False
        del self._errands[ad.cluster]
        if errand.error is not None:
            _log.info("Job %s cannot be brought home now: %s", job, errand.error)
            return False
        if ad.status == _REMOVED and not errand.ended and not self._waited_enough(ad.cluster):
            return False
        self._brought[ad.cluster] = errand.due
        return errand.due == due

    def _waited_enough(self, cluster: int) -> bool:
        since = self._removed.setdefault(cluster, time.monotonic())
        return time.monotonic() - since > _ENDS_WITHIN

    def _bring(self, job: JobId, cluster: int, *, removed: bool) -> bool:
        """Fetch and take home; whether the job has ended by its own word. ``removed``: it was
        taken out of the queue, which it could not know. Raises :class:`Unavailable`,
        :class:`Refused` for what is no answer, OSError."""
        folder = self._folders.job(job)
        with alone(folder) as coming:
            try:
                self._fetch(str(cluster))
            except Refused as error:
                # HTCondor keeps nothing: the job never came so far
                _log.info("HTCondor has nothing of job %s: %s", job, error)
            ours = removed or (folder / "cancel").exists()
            for name in (there.HOME, there.NEWS_FILE):
                came = coming / name
                if there.is_something(came):
                    home.take(folder, as_cancelled(came, folder) if ours else came)
                came.unlink(missing_ok=True)
        newest = max(self._folders.attempts(job), default=0)
        return (self._folders.attempt(job, newest) / "end.json").exists()

    def clear(self, job: JobId) -> None:
        """The job is over and everything home."""
        shutil.rmtree(self._folders.job(job) / FOLDER, ignore_errors=True)

    def _forget_others(self, clusters: Collection[int]) -> None:
        for known in (self._brought, self._removed):
            for cluster in set(known).difference(clusters):
                del known[cluster]


class _Errand(threading.Thread):
    """One job on its way home, beside all looks; it ends with the process, and is begun again."""

    def __init__(self, bring: Callable[[], bool], due: Due) -> None:
        super().__init__(daemon=True, name="home")
        self._bring = bring
        self.due = due
        self.ended = False
        self.error: MlinfnError | OSError | None = None

    def run(self) -> None:
        """Bring it."""
        try:
            self.ended = self._bring()
        except (MlinfnError, OSError) as error:
            self.error = error


@contextmanager
def alone(job_folder: Path) -> Iterator[Path]:
    """Where HTCondor writes to; nobody else may bring the job home meanwhile. Raises
    :class:`Unavailable` (``travel-busy``)."""
    coming = job_folder / FOLDER
    coming.mkdir(mode=0o700, exist_ok=True)
    lock = locks.acquire(coming / "lock")
    if lock is None:
        raise Unavailable("The job is being brought home.", code="travel-busy")
    try:
        yield coming
    finally:
        os.close(lock)


def as_cancelled(came: Path, job_folder: Path) -> Path:
    """What came of a removed job, unpacked: its newest attempt, which gave way, was cancelled."""
    unpacked = came.with_name("unpacked")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(mode=0o700)
    with came.open("rb") as stream:
        archive.unpack(stream, unpacked, lambda _parts: True)
    for attempt in list(giving.attempts(unpacked))[-1:]:
        end = read_json(attempt.end)
        gave_way = end and (end.get("reason") or {}).get("code") == "preempted"
        if end and gave_way and end.get("state") in ("evicted", "failed"):
            by = "You cancelled this job" if (job_folder / "cancel").exists() else _CANCELLED_THERE
            reason = {"code": "cancelled-by-user", "text": f"{by}. {_KEPT_SO_FAR}"}
            told = {**end, "state": "cancelled", "reason": reason, "evictions": None}
            told["output"] = _publishable(attempt, job_folder) or end.get("output")
            write_durably(attempt.end, json.dumps(told, indent=1))
    return unpacked


def _publishable(attempt: AttemptFolder, job_folder: Path) -> str | None:
    """The partial notebook of an attempt that meant to go on, as if it had ended."""
    published, spec = attempt.path / PUBLISHED, read_json(job_folder / "job.json") or {}
    if published.exists() or not attempt.notebook.is_file():
        return None
    target = published / Path(str(spec.get("source", ""))).with_suffix(".ipynb").name
    if attempt.outputs.is_dir():
        attempt.outputs.rename(published)
    published.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(attempt.notebook, target)
    return str(target)


def files_of(job_folder: Path) -> list[str]:
    """What is sent: the parcel, and images. Raises :class:`Refused` for names that HTCondor cannot
    be given."""
    images = parcel.images(job_folder).values()
    files = [str(job_folder / FOLDER / there.PARCEL), *map(str, images)]
    if odd := [name for name in files if "," in name]:
        raise Refused(f"HTCondor cannot be given the name {odd[0]!r}: it has a comma.")
    return files


def travelling(given: Mapping[str, str], job_folder: Path, python: str) -> dict[str, str]:
    """The submit description of a job that travels, from that of one that sees its folder.

    Raises :class:`Refused` for names that HTCondor cannot be given.
    """
    images = parcel.images(job_folder)
    files = files_of(job_folder)
    words = [*isolation(), "-m", PROGRAM]
    words += [f"{digest}={path.name}" for digest, path in images.items()]
    since = "time() - EnteredCurrentStatus"
    return {
        **given,
        "executable": plain(python),
        "arguments": listed(words),
        "initialdir": plain(str(job_folder / FOLDER)),
        "output": "/dev/null",
        "error": "/dev/null",
        "should_transfer_files": "YES",
        "when_to_transfer_output": "ON_EXIT_OR_EVICT",
        "transfer_input_files": plain(",".join(files)),
        "transfer_output_files": f"{there.HOME},{there.NEWS_FILE}",
        "My.WantIOProxy": "true",
        # it stays until all is home; of one that was removed HTCondor brings nothing by itself
        "leave_in_queue": f"(JobStatus == 4 && {since} < {_KEPT})"
        f" || (JobStatus == 3 && {since} < {_KEPT_REMOVED})",
    }
