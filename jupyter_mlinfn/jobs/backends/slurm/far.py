"""Job folders at a site that sees none of ours: there by ssh, and home by ssh.

The program that packs and unpacks there is :mod:`jupyter_mlinfn.jobs.travel`. ``away.json`` in a
job's folder says where its other folder lies, from before it is sent until it was removed.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, TypeVar

from pydantic import BaseModel, TypeAdapter

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.attempt import read_json
from jupyter_mlinfn.jobs.backends.slurm.ssh import Ssh
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.jobs.travel import home, news, parcel
from jupyter_mlinfn.jobs.travel.news import JobNews
from jupyter_mlinfn.jobs.travel.tidying import AWAY, Tidying
from jupyter_mlinfn.model.errors import MlinfnError, PartMissing, Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobId, JobRecord
from jupyter_mlinfn.process.durable import write_durably
from jupyter_mlinfn.process.redaction import redact
from jupyter_mlinfn.process.run import Completed

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_PROGRAM: Final = "jupyter_mlinfn.jobs.travel"
_REFUSED: Final = 4
_ANSWERS_WITHIN: Final = 20.0
_TRAVELS_WITHIN: Final = 3600.0
_WAITED_FOR: Final = 5.0
"""Seconds that whoever looks waits for a job that comes home; the rest comes beside the looks."""

_NEWS: Final = TypeAdapter(dict[str, JobNews])
_POINTS: Final = TypeAdapter(JobNews)


class _Ready(BaseModel):
    """What ``ready`` answers: where the folder lies, whether it is there, images that are not."""

    folder: str
    there: bool
    missing: tuple[str, ...]


_READY: Final = TypeAdapter(_Ready)


class Far:
    """The job folders below ``root`` at the site; ``python`` there has this package."""

    def __init__(self, ssh: Ssh, folders: JobFolders, root: str, python: str) -> None:
        self._ssh = ssh
        self._folders = folders
        self._root = root.rstrip("/")
        self.python = python
        self._errands: dict[JobId, _Errand] = {}
        self._brought: set[JobId] = set()
        self._cancelled: set[tuple[JobId, str]] = set()
        self._carried: dict[JobId, tuple[tuple[str, int], ...]] = {}
        self.tidy: Final = Tidying(folders, self.remove).tidy

    def missing(self) -> str:
        """What is wrong with the settings; nobody is asked."""
        names = (("far_folder", self._root), ("far_python", self.python))
        for name, path in names:
            allowed = path.startswith("/") or (name == "far_folder" and path.startswith("~/"))
            if not allowed or not path.isprintable() or ".." in path.split("/"):
                return f"slurm_options: {name} must be a whole path at the site, not {path!r}."
        return ""

    # --- there ----------------------------------------------------------------------------------

    def send(self, job: JobId) -> None:
        """Have the job's folder there, with the images it needs; harmless when it is there.

        Raises :class:`Unavailable`, :class:`PartMissing`, and :class:`Refused` where something that
        has to go along is not there any more.
        """
        self._brought.discard(job)
        self._carried.pop(job, None)
        folder = self._folders.job(job)
        token, images = self._folders.read_spec(job).token, parcel.images(folder)
        ready = _read(_READY, self._call("ready", job, token, *images))
        try:
            write_durably(folder / AWAY, json.dumps({"folder": ready.folder}))
            for digest in ready.missing:
                self._send_image(job, digest, images[digest])
            if not ready.there:
                with TemporaryFile(dir=folder) as between:
                    parcel.pack(folder, between)
                    between.seek(0)
                    self._send("unpack", job, source=between)
            self._carry(job)
        except OSError as error:
            text = f"The job's folder cannot be packed: {error}."
            raise Unavailable(text, code="data-folder") from error

    def renew(self, job: JobId) -> None:
        """Have secrets there that were renewed here; what cannot be sent now is with the next
        look."""
        try:
            if self.is_away(job):
                self._carry(job)
        except (MlinfnError, OSError) as error:
            _log.info("The secrets of job %s cannot be renewed there now: %s", job, error)

    def _carry(self, job: JobId) -> None:
        folder = self._folders.job(job)
        if not (folder / credentials.SOURCES).exists():
            return
        told, which = credentials.carried(folder)
        if self._carried.get(job) != which:
            words = self._of("secrets", job)
            self._said(self._ssh.call(*words, deadline=_ANSWERS_WITHIN, stdin=told))
            self._carried[job] = which

    def _send_image(self, job: JobId, digest: str, path: Path) -> None:
        try:
            with path.open("rb") as image:
                self._send("image", job, digest, source=image)
        except FileNotFoundError as error:
            text = f"The packed environment {path} is not there any more. Pack it again."
            raise Refused(text, code="environment-missing") from error

    def folder(self, job: JobId) -> Path:
        """Where the job's folder lies there. Raises :class:`Unavailable` before it was sent."""
        told = (read_json(self._folders.job(job) / AWAY) or {}).get("folder")
        if not told:
            raise Unavailable("The job has not been sent yet.", code="far-not-sent")
        return Path(str(told))

    def cancel(self, job: JobId, points: str = "") -> None:
        """Leave the word there that the job, or these points of it, shall end, once. Raises
        :class:`Unavailable`."""
        if self.is_away(job) and (job, points) not in self._cancelled:
            self._call("cancel", job, *([points] if points else ()))
            self._cancelled.add((job, points))

    def remove(self, job: JobId) -> None:
        """Remove the folder there: all is home. What cannot be removed now is later."""
        self._brought.discard(job)
        self._carried.pop(job, None)
        self._cancelled = {one for one in self._cancelled if one[0] != job}
        self._errands.pop(job, None)
        if not self.is_away(job):
            return
        try:
            self._call("remove", job)
            (self._folders.job(job) / AWAY).unlink(missing_ok=True)
        except (MlinfnError, OSError) as error:
            _log.info("The folder of job %s stays at the site for now: %s", job, error)

    # --- home -----------------------------------------------------------------------------------

    def look(
        self, records: Sequence[JobRecord], words: Mapping[JobId, Word]
    ) -> tuple[dict[JobId, Word], set[JobId]]:
        """Bring news of these jobs, and home what has ended.

        Other words for those that are on their way home, and those of which nothing can be said.
        Raises :class:`Unavailable` while the site is silent.
        """
        singles = [one for one in records if one.sweep is None]
        for one in singles:
            self.renew(one.id)
        asked = {one.id: one for one in singles if self._may_have_begun(one, words)}
        coming: dict[JobId, Word] = {}
        unsaid: set[JobId] = set()
        for job, told in self._news(list(asked)).items():
            word = words.get(job) or Word(asked[job].backend_id or "", "over")
            try:
                if not self._is_here(job, told, word):
                    coming[job] = Word(word.id, "runs", host=word.host)
            except (MlinfnError, OSError) as error:
                _log.warning("Job %s cannot be brought home now: %s", job, error)
                unsaid.add(job)
        return coming, unsaid

    def _is_here(self, job: JobId, told: JobNews, word: Word) -> bool:
        """Bring the news, and all where it is time; whether nothing is on its way any more."""
        try:
            if job not in self._errands:
                news.merge(self._folders.job(job), told)
            return not self._is_due(job, told, word) or self._bring(job, word)
        except Unavailable as error:
            if error.code == "travel-busy":
                return False  # another process of the person brings it
            raise

    def _may_have_begun(self, record: JobRecord, words: Mapping[JobId, Word]) -> bool:
        word = words.get(record.id)
        waits = word is not None and word.phase == "waits" and not record.attempts
        return not waits and self.is_away(record.id)

    def _news(self, jobs: Sequence[JobId]) -> dict[JobId, JobNews]:
        if not jobs:
            return {}
        asked = {job: news.known(self._folders.job(job)) for job in jobs}
        words = self._words("news", f"{self._root}/jobs")
        done = self._ssh.call(*words, deadline=_ANSWERS_WITHIN, stdin=json.dumps(asked).encode())
        found = _read(_NEWS, self._said(done))
        return {job: one for job, one in found.items() if job in asked}

    def _is_due(self, job: JobId, told: JobNews, word: Word) -> bool:
        """Whether something has ended there that is not home; of one that is over without a word
        of its own, what there is comes home once."""
        if told.gone:
            return False
        if any(one.ended and not self._is_home(job, one.number) for one in told.attempts):
            return True
        return word.phase == "over" and job not in self._brought

    def _is_home(self, job: JobId, number: int) -> bool:
        return (self._folders.attempt(job, number) / "end.json").exists()

    def _bring(self, job: JobId, word: Word) -> bool:
        """Bring a job home; whether it is. Raises what its transfer raised."""
        errand = self._errands.get(job)
        if errand is None:
            errand = self._errands[job] = _Errand(self, job)
            errand.start()
        errand.join(_WAITED_FOR)
        if errand.is_alive():
            return False
        self._errands.pop(job, None)
        if errand.error is not None:
            raise errand.error
        if word.phase == "over":
            self._brought.add(job)
        return True

    def fetch(self, job: JobId, points: str = "") -> frozenset[int | None]:
        """Bring all attempts home, or one lot of those of these ``points``, however long it takes;
        of which points some came. Raises :class:`Unavailable`, :class:`Refused` for what is no
        answer, OSError."""
        folder = self._folders.job(job)
        with TemporaryFile(dir=folder) as between:
            self._send("give", job, *([points] if points else ()), target=between)
            between.seek(0)
            return home.take(folder, between)

    def points(self, job: JobId, asked: Sequence[int], closely: Sequence[int]) -> JobNews:
        """Which attempts of these points there are, with the news of those looked at ``closely``.

        Raises :class:`Unavailable`.
        """
        known = news.known(self._folders.job(job), closely)
        words = self._of("points", job, ranges.written(asked), ranges.written(closely))
        told = json.dumps(known).encode()
        done = self._ssh.call(*words, deadline=_ANSWERS_WITHIN, stdin=told)
        return _read(_POINTS, self._said(done))

    # --- calls ----------------------------------------------------------------------------------

    def is_away(self, job: JobId) -> bool:
        """Whether something of the job lies there."""
        return (self._folders.job(job) / AWAY).exists()

    def _words(self, verb: str, *arguments: str) -> tuple[str, ...]:
        return (self.python, "-I", "-m", _PROGRAM, verb, *arguments)

    def _of(self, verb: str, job: JobId, *arguments: str) -> tuple[str, ...]:
        return self._words(verb, f"{self._root}/jobs/{job}", *arguments)

    def _call(self, verb: str, job: JobId, *arguments: str) -> Completed:
        words = self._of(verb, job, *arguments)
        return self._said(self._ssh.call(*words, deadline=_ANSWERS_WITHIN))

    def _send(
        self,
        verb: str,
        job: JobId,
        *arguments: str,
        source: IO[bytes] | None = None,
        target: IO[bytes] | None = None,
    ) -> Completed:
        words = self._of(verb, job, *arguments)
        return self._said(
            self._ssh.send(*words, deadline=_TRAVELS_WITHIN, source=source, target=target)
        )

    def _said(self, done: Completed) -> Completed:
        if done.returncode == 0:
            return done
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = redact(lines[-1][:300]) if lines else "it gave no reason"
        if "No module named" in why:
            text = f"The Python {self.python} of the site has no jupyter_mlinfn."
            raise PartMissing(text, code="far-python")
        if done.returncode == _REFUSED:
            raise Refused(f"The site refuses the job's folder: {why}", code="refused-by-system")
        raise Unavailable(f"The site does not keep the job's folder: {why}", code="far-silent")


def _read(kind: TypeAdapter[Answer], done: Completed) -> Answer:
    """The answer in the last line: what a login prints before it is passed over.

    Raises :class:`Unavailable` when there is none.
    """
    try:
        return kind.validate_json(done.stdout.rstrip().rpartition(b"\n")[2])
    except ValueError as error:
        text = "What the site answers cannot be read."
        raise Unavailable(text, code="far-silent") from error


class _Errand(threading.Thread):
    """One job on its way home, beside all looks; it ends with the process, and is begun again."""

    def __init__(self, far: Far, job: JobId) -> None:
        super().__init__(daemon=True, name=f"home-{job}")
        self._far = far
        self._job = job
        self.error: MlinfnError | OSError | None = None

    def run(self) -> None:
        """Bring it."""
        try:
            self._far.fetch(self._job)
        except (MlinfnError, OSError) as error:
            self.error = error
