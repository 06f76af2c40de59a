"""Jobs whose pods see no folder of here: there and home through a bucket.

::

    jobs/<id>/parcel    the job's folder, put there before its Job is made
    jobs/<id>/news      what it has to tell while it runs           the pod
    jobs/<id>/results   all attempts, with each checkpoint and at the end    the pod
    jobs/<id>/cancel    the word that it shall end
    images/<digest>     one-file environments

The pod gets signed addresses, in a Secret of its own, and no key. ``away.json`` in the job's folder
says that something of it lies there, until that is removed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryFile
from typing import Any, Final

from pydantic import BaseModel

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.attempt import read_json
from jupyter_mlinfn.jobs.backends.kubernetes.access import Access
from jupyter_mlinfn.jobs.backends.kubernetes.bucket import Bucket
from jupyter_mlinfn.jobs.backends.kubernetes.calls import Calls
from jupyter_mlinfn.jobs.backends.protocol import StagingSettings
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.travel import home, news, parcel
from jupyter_mlinfn.jobs.travel.news import JobNews
from jupyter_mlinfn.jobs.travel.tidying import AWAY, Tidying
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.jobs import ACTIVE, JobId, JobRecord, Reason
from jupyter_mlinfn.model.kubernetes import ACCESS_FILE, SECRETS_FILE
from jupyter_mlinfn.process.durable import write_durably

_log = logging.getLogger(__name__)

VALID_FOR: Final = 7 * 86400
"""Seconds for which addresses are good: the longest that S3 allows."""

_SETTLES_WITHIN: Final = 5.0


_RENEWED_AFTER: Final = 86400.0
"""Seconds after which addresses are made anew: six days may pass in which nobody looks."""

_WAITED_FOR: Final = 5.0
"""Seconds that one look at all jobs waits for those that come home; the rest comes beside it."""

_AT_ONCE: Final = 4
_TRIES: Final = 5


class Note(BaseModel):
    """``away.json``: the names of the Secrets with addresses, the newest one last, and what that
    one is made with. ``signed_at``: seconds since 1970; ``kept``: results that cannot be read stay
    in the bucket."""

    secrets: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    owner: dict[str, Any] | None = None
    signed_at: float = 0.0
    kept: bool = False


class Staging:
    """The staged jobs of one namespace."""

    def __init__(self, settings: StagingSettings, calls: Calls, folders: JobFolders) -> None:
        self.settings = settings
        self._bucket = Bucket(settings)
        self._calls = calls
        self._folders = folders
        self._seen: dict[str, str] = {}
        self._errands: dict[JobId, _Errand] = {}
        self._coming: set[JobId] = set()
        self._tried: dict[JobId, int] = {}
        self._unreadable: dict[JobId, Reason] = {}
        self._carried: dict[JobId, object] = {}
        self._doubtful: dict[JobId, float] = {}
        self.tidy: Final = Tidying(folders, self.remove).tidy

    def missing(self) -> str:
        """Why nothing can be staged here; empty when it can."""
        return self._bucket.missing()

    def holds(self, job: JobId) -> bool:
        """Whether something of the job lies in the bucket."""
        return (self._folders.job(job) / AWAY).exists()

    # --- there ----------------------------------------------------------------------------------

    def send(self, job: JobId, secret: str, labels: Mapping[str, str]) -> None:
        """Have the parcel and the addresses there; harmless when repeated.

        Raises :class:`Unavailable`, :class:`Refused`, OSError.
        """
        folder = self._folders.job(job)
        before = [one for one in self._note(job).secrets if one != secret]
        note = Note(secrets=(*before, secret), labels=dict(labels), signed_at=time.time())
        write_durably(folder / AWAY, note.model_dump_json())
        with TemporaryFile(dir=folder) as between:
            parcel.pack(folder, between)
            between.seek(0)
            self._bucket.put(f"jobs/{job}/parcel", between)
        images = parcel.images(folder)
        there = self._bucket.marks("images/") if images else {}
        for digest, path in images.items():
            if _image(digest) not in there:
                with path.open("rb") as image:
                    self._bucket.put(_image(digest), image)
        self._calls.put_secret(self._secret(job, secret, labels))

    def belongs(self, job: JobId, labels: Mapping[str, str], owner: Mapping[str, Any]) -> None:
        """Kubernetes shall remove the Secret with the Job that uses it."""
        made = {"labels": dict(labels), "owner": dict(owner), "signed_at": time.time()}
        note = self._note(job).model_copy(update=made)
        self._calls.put_secret(self._secret(job, note.secrets[-1], labels, owner))
        write_durably(self._folders.job(job) / AWAY, note.model_dump_json())

    def cancel(self, job: JobId) -> None:
        """Leave the word that the job shall end. Raises :class:`Unavailable`."""
        self._bucket.put(f"jobs/{job}/cancel", b"cancel")

    def remove(self, job: JobId) -> None:
        """Remove what lies there: all is home, or nobody can read it. What cannot be removed now
        is later."""
        self._forget(job)
        if not self.holds(job):
            return
        try:
            note, there = self._note(job), self._bucket.marks(f"jobs/{job}/")
            kept = {_results(job)} if note.kept else set()
            self._bucket.remove(there.keys() - kept)
            for name in note.secrets:
                self._calls.delete_secret(name)
            (self._folders.job(job) / AWAY).unlink(missing_ok=True)
        except (MlinfnError, OSError) as error:
            _log.info("What was staged of job %s stays for now: %s", job, error)

    # --- home -----------------------------------------------------------------------------------

    def look(self, records: Sequence[JobRecord], words: Mapping[JobId, Word]) -> set[JobId]:
        """Bring news of these jobs, and home what has ended. Those of which nothing can be said."""
        away = [one.id for one in records if self.holds(one.id)]
        self._coming = set()
        if not away:
            return set()
        try:
            marks = self._bucket.marks("jobs/")
        except MlinfnError as error:
            _log.warning("Staged jobs cannot be looked after now: %s", error)
            return set(away)
        until, unsaid = time.monotonic() + _WAITED_FOR, set()
        for job in away:
            self._renew(job)
            if not self._look_at(job, marks, words.get(job)):
                unsaid.add(job)
        for job in away:
            if not self._is_home(job, until):
                unsaid.add(job)
        return unsaid - self._coming

    def settled(
        self, records: Sequence[JobRecord], words: Mapping[JobId, Word]
    ) -> dict[JobId, Word]:
        """The words, less what is true only for a moment: a job that ran and has no pod waits
        again, or is just ending, and no lock tells here which of it."""
        told, now = dict(words), time.monotonic()
        for one in records:
            word = told.get(one.id)
            if one.id in self._coming:
                told[one.id] = Word(one.backend_id or "", "runs", host=word.host if word else None)
                continue
            why = self._unreadable.get(one.id)
            if why is not None and (word is None or word.phase == "over"):
                told[one.id] = Word(one.backend_id or "", "over", ended=(why, why))
                continue
            doubtful = word is not None and word.phase == "waits" and one.state in ACTIVE
            if word is None or not doubtful or not self.holds(one.id):
                self._doubtful.pop(one.id, None)
            elif now - self._doubtful.setdefault(one.id, now) < _SETTLES_WITHIN:
                told[one.id] = Word(id=word.id, phase="unclear")
        return told

    def _look_at(self, job: JobId, marks: Mapping[str, str], word: Word | None) -> bool:
        """Bring its news, and set out for its results where it is time; whether that could be."""
        if job in self._errands:
            self._coming.add(job)
            return True
        try:
            ended = self._news(job, marks)
        except (MlinfnError, OSError, ValueError) as error:
            return self._is_brought_by_another(job, error)
        waits = word is None or word.phase in ("over", "waits", "unclear")
        if (ended or waits) and self._is_new(_results(job), marks):
            self._coming.add(job)
            if job not in self._errands and len(self._errands) < _AT_ONCE:
                self._errands[job] = _Errand(lambda: self._take(job), marks[_results(job)])
                self._errands[job].start()
        return True

    def _is_home(self, job: JobId, until: float) -> bool:
        """Take note of what has come; whether nothing went wrong on the way."""
        errand = self._errands.get(job)
        if errand is None:
            return True
        errand.join(max(0.0, until - time.monotonic()))
        if errand.is_alive():
            self._coming.add(job)
            return True
        del self._errands[job]
        self._coming.discard(job)
        if errand.error is None:
            self._seen[_results(job)] = errand.mark
            return True
        if isinstance(errand.error, Refused):
            self._count(job, errand.mark, errand.error)
        return self._is_brought_by_another(job, errand.error)

    def _is_brought_by_another(self, job: JobId, error: Exception) -> bool:
        """Whether another process of the person brings it; else it cannot be brought now."""
        if isinstance(error, Unavailable) and error.code == "travel-busy":
            self._coming.add(job)
            return True
        _log.warning("Job %s cannot be brought home now: %s", job, error)
        return False

    def _count(self, job: JobId, mark: str, error: Refused) -> None:
        """What cannot be read is not tried for ever: then the job ends, and it stays there."""
        self._tried[job] = self._tried.get(job, 0) + 1
        if self._tried[job] < _TRIES:
            return
        self._tried.pop(job)
        self._seen[_results(job)] = mark
        where = f"{self.settings.bucket}/{self.settings.prefix.strip('/')}/{_results(job)}"
        text = (
            f"The results cannot be brought home, after {_TRIES} tries. {error.text} "
            f"They were kept in the store: {where.replace('//', '/')}"
        )
        self._unreadable[job] = Reason(code="lost", text=text)
        note = self._note(job).model_copy(update={"kept": True})
        write_durably(self._folders.job(job) / AWAY, note.model_dump_json())

    def _forget(self, job: JobId) -> None:
        self._errands.pop(job, None)
        self._tried.pop(job, None)
        self._unreadable.pop(job, None)
        self._carried.pop(job, None)

    def _renew(self, job: JobId) -> None:
        """Make the addresses anew before they expire, and bring renewed secrets; in a pod that
        runs Kubernetes renews them."""
        note = self._note(job)
        young = time.time() - note.signed_at < _RENEWED_AFTER
        try:
            if not note.secrets or (young and self._carried.get(job) == self._carry(job)[1]):
                return
            made = self._secret(job, note.secrets[-1], note.labels, note.owner)
            self._calls.put_secret(made)
            note = note.model_copy(update={"signed_at": time.time()})
            write_durably(self._folders.job(job) / AWAY, note.model_dump_json())
        except (MlinfnError, OSError) as error:
            _log.warning("The addresses of job %s cannot be renewed now: %s", job, error)

    def _news(self, job: JobId, marks: Mapping[str, str]) -> bool:
        """Bring the newest news; whether an attempt has ended whose end is not here."""
        name = f"jobs/{job}/news"
        if not self._is_new(name, marks):
            return False
        with TemporaryFile() as between:
            self._bucket.get(name, between)
            between.seek(0)
            told = JobNews.model_validate_json(between.read())
        news.merge(self._folders.job(job), told)
        ended = [one.number for one in told.attempts if one.ended]
        if any(not (self._folders.attempt(job, one) / "end.json").exists() for one in ended):
            return True
        self._seen[name] = marks[name]
        return False

    def _take(self, job: JobId) -> None:
        folder = self._folders.job(job)
        with TemporaryFile(dir=folder) as between:
            self._bucket.get(_results(job), between)
            between.seek(0)
            home.take(folder, between)

    def _is_new(self, name: str, marks: Mapping[str, str]) -> bool:
        return name in marks and self._seen.get(name) != marks[name]

    # --- inside ---------------------------------------------------------------------------------

    def _secret(
        self,
        job: JobId,
        name: str,
        labels: Mapping[str, str],
        owner: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        def address(verb: str, what: str) -> str:
            return self._bucket.address(verb, what, VALID_FOR)

        here = f"jobs/{job}"
        access = Access(
            job=job,
            parcel=address("GET", f"{here}/parcel"),
            before=address("GET", f"{here}/results"),
            results=address("PUT", f"{here}/results"),
            news=address("PUT", f"{here}/news"),
            cancel=address("GET", f"{here}/cancel"),
            images={
                digest: address("GET", _image(digest))
                for digest in parcel.images(self._folders.job(job))
            },
        )
        told, self._carried[job] = self._carry(job)
        about: dict[str, Any] = {"name": name, "labels": dict(labels)}
        if owner is not None:
            about["ownerReferences"] = [dict(owner)]
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": about,
            "stringData": {ACCESS_FILE: access.model_dump_json(), **told},
        }

    def _carry(self, job: JobId) -> tuple[dict[str, str], object]:
        """The declared secrets as a file of the Secret, and which they are. Raises OSError."""
        folder = self._folders.job(job)
        if not (folder / credentials.SOURCES).exists():
            return {}, None
        told, which = credentials.carried(folder)
        return {SECRETS_FILE: told.decode()}, which

    def _note(self, job: JobId) -> Note:
        return Note.model_validate(read_json(self._folders.job(job) / AWAY) or {})


def _results(job: JobId) -> str:
    return f"jobs/{job}/results"


def _image(digest: str) -> str:
    return f"images/{parcel.image_name(digest)}"


class _Errand(threading.Thread):
    """One job's results on their way home, beside all looks; it ends with the process, and is
    begun again. ``mark`` tells which results."""

    def __init__(self, take: Callable[[], None], mark: str) -> None:
        super().__init__(daemon=True, name="home")
        self._take = take
        self.mark = mark
        self.error: MlinfnError | OSError | ValueError | None = None

    def run(self) -> None:
        """Bring them."""
        try:
            self._take()
        except (MlinfnError, OSError, ValueError) as error:
            self.error = error
