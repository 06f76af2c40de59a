"""What is true of a job that a batch system runs in a folder both see.

The folder's word counts first: the program that runs there writes how far it came and how it ended.
The system is asked why a job waits, and what became of one that could not say so itself. Reading
only; what a system says comes as a :class:`Word`, and its texts are its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends import attempts
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobState, Reason

Phase = Literal["waits", "starts", "runs", "over", "unclear"]

Doubt = Literal["absent", "not-again", "no-word"]
"""Why nothing can be said yet: the system does not know the job; it is over there though it was
to start again; it is over there and left no word of its own (which may be on its way)."""


@dataclass(frozen=True)
class Word:
    """What a system says of one of its jobs.

    ``waits`` says why it waits. ``ended`` is why it is over where the job left no word of its own:
    for one none of whose code ran, and for one that had begun; ``None``: it was cancelled there.
    """

    id: str
    phase: Phase
    waits: Reason | None = None
    ended: tuple[Reason | None, Reason | None] = (None, None)
    host: str | None = None

    @property
    def cancelled(self) -> bool:
        """Whether somebody took it out of the system."""
        return self.phase == "over" and self.ended == (None, None)


_GONE: Final = Reason(
    code="lost",
    text="The job's folder is gone: it was removed, or its disk is not there. "
    "Nothing more can be known of this job.",
)
_CANCELLED_HERE: Final = Reason(
    code="cancelled-by-user", text="You cancelled this job before any of your code ran."
)


def newest(folders: JobFolders, job: str) -> tuple[int, AttemptFolder | None]:
    """The number and the folder of the newest attempt; 0: none has a folder."""
    numbers = folders.attempts(job)
    if not numbers:
        return 0, None
    return numbers[-1], AttemptFolder(folders.attempt(job, numbers[-1]))


def is_touched(folder: AttemptFolder) -> bool:
    """Whether more became of an attempt than that it was made: the next start has its own then."""
    left = (folder.begun, folder.end, folder.result, folder.returned)
    return any(path.exists() for path in left)


def runs(folders: JobFolders, job: str) -> bool:
    """Whether an attempt was begun that has not ended by its own word."""
    _number, folder = newest(folders, job)
    return folder is not None and folder.claim.exists() and not folder.end.exists()


class Teller:
    """Tells of the jobs of one system; ``title`` is what people call it."""

    def __init__(self, folders: JobFolders, title: str) -> None:
        self._folders = folders
        self._title = title

    def ended(self, record: JobRecord) -> Observation | None:
        """How the job ended for good, if its folder says so; nobody else needs to be asked."""
        if not self._folders.job(record.id).is_dir():
            return Observation(state="failed", attempt=_for_end(record, 0), reason=_GONE)
        number, folder = newest(self._folders, record.id)
        if folder is None or not folder.end.exists():
            return None
        seen = attempts.observe(folder, record.model_copy(update={"attempts": number}))
        return seen if seen.state in ENDED else None

    def observe(self, record: JobRecord, word: Word | None) -> Observation | Doubt:
        """What is true of a job that has not ended by its folder's word (:meth:`ended`)."""
        number, folder = newest(self._folders, record.id)
        if folder is None or not folder.claim.exists():
            return self._without_attempt(record, number, word)
        # in this order: what ends writes how before it is gone
        alive = attempts.life(folder) in ("supervised", "elsewhere")
        if folder.end.exists():
            # it may have ended since the system was asked
            return self.ended(record) or self._evicted(record, number, word)
        if word is not None and word.phase == "waits" and not alive:
            return self._waits_again(record, word)
        # one that lives has started since the system was asked
        if alive or (word is not None and word.phase in ("starts", "runs", "unclear")):
            return _going(folder, record, number, word)
        return "no-word" if word is not None else "absent"

    def concluded(self, record: JobRecord, word: Word) -> Observation:
        """The end of a job that is over for the system and left no word of its own."""
        number, folder = newest(self._folders, record.id)
        begun = folder is not None and folder.begun.exists()
        state: JobState = "failed"
        attempt, reason = _for_end(record, number), word.ended[begun]
        # many a system can only kill what has just started, and does not tell that from a failure
        ours = record.cancelling and not begun
        if reason is None or ours:
            state, attempt = "cancelled", max(number, record.attempts)
            reason = _CANCELLED_HERE if ours else self._cancelled_there()
        return Observation(
            state=state,
            attempt=attempt,
            reason=reason,
            host=word.host,
            ended_at=datetime.now(UTC),
            backend_id=word.id,
        )

    def begun(self, record: JobRecord) -> bool:
        """Whether some of the person's code ran in the newest attempt."""
        _number, folder = newest(self._folders, record.id)
        return folder is not None and folder.begun.exists()

    def lost(self, record: JobRecord) -> Observation:
        """The end of a job that the system does not know any more."""
        number, _folder = newest(self._folders, record.id)
        text = (
            f"{self._title} lost this job, also when it was handed over again. "
            "None of your code ran."
        )
        if self.begun(record):
            text = (
                f"{self._title} does not know this job any more, and the job left no word on how "
                "it ended. It was not started a second time, because your code may have had "
                "effects already. What it had written so far was kept."
            )
        reason = Reason(code="lost", text=text)
        return Observation(state="failed", attempt=_for_end(record, number), reason=reason)

    def cancelled(self, record: JobRecord) -> Observation:
        """The end of a job that was cancelled, and that the system does not know any more."""
        number, _folder = newest(self._folders, record.id)
        attempt = max(number, record.attempts)
        return Observation(state="cancelled", attempt=attempt, reason=self._cancelled_there())

    def handed_again(self, record: JobRecord, doubt: Doubt) -> Observation:
        """A job that is given to the system once more."""
        text = f"{self._title} lost this job before it began. It is handed over once more."
        reason = Reason(code="lost", text=text)
        if doubt == "not-again":
            reason = self._taken()
        return self._between(record, reason)

    # --- inside ---------------------------------------------------------------------------------

    def _without_attempt(
        self, record: JobRecord, number: int, word: Word | None
    ) -> Observation | Doubt:
        if word is None:
            return "absent"
        if word.phase == "over":
            return "no-word"
        if word.phase == "waits":
            if record.attempts:
                return self._waits_again(record, word)
            return Observation(state="queued", reason=word.waits, backend_id=word.id)
        attempt = max(1, number)
        return Observation(state="starting", attempt=attempt, host=word.host, backend_id=word.id)

    def _evicted(self, record: JobRecord, number: int, word: Word | None) -> Observation | Doubt:
        """The newest attempt was evicted by its own word."""
        if word is None or word.phase == "over":
            return "no-word" if word is not None and word.cancelled else "not-again"
        if word.phase == "waits":
            return self._waits_again(record, word)
        # it is being ended, or its next start has not come so far as to make its attempt
        return Observation(
            state="evicted", attempt=number, reason=self._taken(), backend_id=word.id
        )

    def _waits_again(self, record: JobRecord, word: Word) -> Observation:
        reason = word.waits or self._taken()
        seen = self._between(record, reason)
        if seen.state == "evicted" and reason.code != "held":
            reason = Reason(code="preempted", text=reason.text)
        return seen.model_copy(update={"reason": reason, "backend_id": word.id})

    def _between(self, record: JobRecord, reason: Reason) -> Observation:
        """A job that waits after a start of it was seen.

        One that left nothing in the folder does not count: whoever starts the job next takes its
        number. Or it never was: of two servers one may have asked before it and look after it.
        """
        number, folder = newest(self._folders, record.id)
        kept = number if folder is not None and is_touched(folder) else max(0, number - 1)
        state: JobState = "evicted" if kept else "queued"
        return Observation(state=state, attempt=kept, reason=reason, undone=kept < record.attempts)

    def _taken(self) -> Reason:
        text = (
            f"{self._title} took this job's place back for another job. It starts again by itself."
        )
        return Reason(code="preempted", text=text)

    def _cancelled_there(self) -> Reason:
        text = f"The job was cancelled in {self._title} before it had ended."
        return Reason(code="cancelled-by-user", text=text)


def _going(folder: AttemptFolder, record: JobRecord, number: int, word: Word | None) -> Observation:
    state: JobState = record.state if number == record.attempts else "starting"
    seen = attempts.observe(folder, record.model_copy(update={"attempts": number, "state": state}))
    told = {"backend_id": word.id, "host": word.host} if word else {"host": None}
    return seen.model_copy(update=told)


def _for_end(record: JobRecord, number: int) -> int:
    """A waiting job's last attempt is over: its failure belongs to the one that never came."""
    attempt = max(number, record.attempts)
    return attempt + 1 if record.state == "evicted" else attempt
