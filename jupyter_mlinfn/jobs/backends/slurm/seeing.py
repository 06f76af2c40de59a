"""What is true of a job: its folder's word first, then Slurm's. Reading only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends import attempts
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.backends.slurm import states
from jupyter_mlinfn.jobs.backends.slurm.parsing import SlurmJob
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobState, Reason

Doubt = Literal["absent", "not-again", "no-word"]
"""Why nothing can be said yet: Slurm does not know the job; it is over for Slurm though it was to
start again; it is over for Slurm and left no word of its own (which may be on its way)."""

_GONE: Final = Reason(
    code="lost",
    text="The job's folder is gone: it was removed, or its disk is not there. "
    "Nothing more can be known of this job.",
)


def newest(folders: JobFolders, job: str) -> tuple[int, AttemptFolder | None]:
    """The number and the folder of the newest attempt; 0: none has a folder."""
    numbers = folders.attempts(job)
    if not numbers:
        return 0, None
    return numbers[-1], AttemptFolder(folders.attempt(job, numbers[-1]))


def ended(folders: JobFolders, record: JobRecord) -> Observation | None:
    """How the job ended for good, if its folder says so; nobody else needs to be asked."""
    if not folders.job(record.id).is_dir():
        return Observation(state="failed", attempt=_for_end(record, 0), reason=_GONE)
    number, folder = newest(folders, record.id)
    if folder is None or not folder.end.exists():
        return None
    seen = attempts.observe(folder, record.model_copy(update={"attempts": number}))
    return seen if seen.state in ENDED else None


def observe(folders: JobFolders, record: JobRecord, job: SlurmJob | None) -> Observation | Doubt:
    """What is true of a job that has not ended by its folder's word (:func:`ended`)."""
    number, folder = newest(folders, record.id)
    if folder is None or not folder.claim.exists():
        return _without_attempt(record, number, job)
    if folder.end.exists():
        # it may have ended since Slurm was asked
        return ended(folders, record) or _evicted(record, number, job)
    phase = states.phase(job) if job else None
    alive = attempts.life(folder) in ("supervised", "elsewhere")
    if phase == "waits" and job is not None and not alive:
        return _waits_again(number, job)
    # one that lives has started since Slurm was asked
    if alive or phase in ("starts", "runs", "unclear"):
        return _going(folder, record, number, job)
    return "no-word" if job is not None else "absent"


def concluded(folders: JobFolders, record: JobRecord, job: SlurmJob) -> Observation:
    """The end of a job that is over for Slurm and left no word of its own."""
    number, folder = newest(folders, record.id)
    begun = folder is not None and folder.begun.exists()
    reason = states.ended(job, begun=begun)
    state: JobState = "failed"
    if reason is None:
        state = "cancelled"
        reason = states.CANCELLED_THERE
        if record.cancelling and not begun:
            reason = states.CANCELLED_HERE
    return Observation(
        state=state,
        attempt=_for_end(record, number) if state == "failed" else max(number, record.attempts),
        reason=reason,
        host=job.nodes or None,
        ended_at=datetime.now(UTC),
        backend_id=job.id,
    )


def lost(folders: JobFolders, record: JobRecord) -> Observation:
    """The end of a job that Slurm does not know any more."""
    number, folder = newest(folders, record.id)
    begun = folder is not None and folder.begun.exists()
    text = "Slurm lost this job, also when it was handed over again. None of your code ran."
    if begun:
        text = (
            "Slurm does not know this job any more, and the job left no word on how it ended. "
            "It was not started a second time, because your code may have had effects already. "
            "What it had written so far was kept."
        )
    reason = Reason(code="lost", text=text)
    return Observation(state="failed", attempt=_for_end(record, number), reason=reason)


def cancelled(folders: JobFolders, record: JobRecord) -> Observation:
    """The end of a job that was cancelled, and that Slurm does not know any more."""
    number, _folder = newest(folders, record.id)
    attempt = max(number, record.attempts)
    return Observation(state="cancelled", attempt=attempt, reason=states.CANCELLED_THERE)


def handed_again(record: JobRecord, doubt: Doubt) -> Observation:
    """A job that is given to Slurm once more."""
    state: JobState = "evicted" if record.attempts else "queued"
    if doubt == "not-again":
        reason = Reason(code="preempted", text=_TAKEN)
    else:
        text = "Slurm lost this job before it began. It is handed over once more."
        reason = Reason(code="lost", text=text)
    return Observation(state=state, attempt=record.attempts, reason=reason)


def _without_attempt(record: JobRecord, number: int, job: SlurmJob | None) -> Observation | Doubt:
    if job is None:
        return "absent"
    phase = states.phase(job)
    if phase == "over":
        return "no-word"
    if phase == "waits":
        if record.attempts:
            return _waits_again(record.attempts, job)
        return Observation(state="queued", attempt=0, reason=states.waiting(job), backend_id=job.id)
    attempt = max(1, number, record.attempts + (record.state == "evicted"))
    return Observation(state="starting", attempt=attempt, host=job.nodes or None, backend_id=job.id)


def _evicted(record: JobRecord, number: int, job: SlurmJob | None) -> Observation | Doubt:
    """The newest attempt was evicted by its own word."""
    phase = states.phase(job) if job else None
    if job is None or phase == "over":
        cancelled = job is not None and job.state == "CANCELLED"
        return "no-word" if cancelled else "not-again"
    if phase == "waits":
        return _waits_again(number, job)
    # it is being ended, or its next start has not come so far as to make its attempt
    reason = Reason(code="preempted", text=_TAKEN)
    return Observation(state="evicted", attempt=number, reason=reason, backend_id=job.id)


_TAKEN: Final = "Slurm took this job's place back for another job. It starts again by itself."


def _waits_again(number: int, job: SlurmJob) -> Observation:
    waits = states.waiting(job)
    reason = waits if waits.code == "held" else Reason(code="preempted", text=waits.text)
    return Observation(state="evicted", attempt=number, reason=reason, backend_id=job.id)


def _going(
    folder: AttemptFolder, record: JobRecord, number: int, job: SlurmJob | None
) -> Observation:
    state: JobState = record.state if number == record.attempts else "starting"
    seen = attempts.observe(folder, record.model_copy(update={"attempts": number, "state": state}))
    told = {"backend_id": job.id, "host": job.nodes or None} if job else {"host": None}
    return seen.model_copy(update=told)


def _for_end(record: JobRecord, number: int) -> int:
    """A waiting job's last attempt is over: its failure belongs to the one that never came."""
    attempt = max(number, record.attempts)
    return attempt + 1 if record.state == "evicted" else attempt
