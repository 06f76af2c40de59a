"""What HTCondor's states mean for a job, in words. Pure; every known one is a test."""

from __future__ import annotations

from typing import Final

from jupyter_mlinfn.jobs.backends.htcondor import holds
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.jobs.backends.told import Phase, Word
from jupyter_mlinfn.model.jobs import Reason, ReasonCode

STARTED_BEFORE: Final = 4711
"""Our own subcode of a hold: a job that may not run again from its start waits again."""

_PHASES: Final[dict[int, Phase]] = {
    1: "waits",
    2: "runs",
    3: "over",
    4: "over",
    5: "waits",
    6: "runs",
    7: "runs",
}

_OVER: Final[dict[int, tuple[ReasonCode, str]]] = {
    34: (
        "out-of-memory",
        "The job used more memory than it asked for and was ended. Ask for more.",
    ),
    46: ("time-limit", "HTCondor ended the job at its time limit. Ask for more time."),
    47: ("time-limit", "HTCondor ended the job at its time limit. Ask for more time."),
}
"""Holds that are an end: nothing is gained by releasing the job as it is."""

_WAITS: Final[tuple[tuple[str, str], ...]] = (
    ("no match found", "Waits in HTCondor: no machine has enough free for it now."),
    (
        "insufficient priority",
        "Waits in HTCondor: what is free goes to people who used less of it lately.",
    ),
    (
        "submitter limit",
        "Waits in HTCondor: you, or the group that pays, have your share for now.",
    ),
    (
        "group quota",
        "Waits in HTCondor: the quota of the group that pays is used up for now.",
    ),
    (
        "concurrency limit",
        "Waits in HTCondor: something it needs is used as often as may be for now.",
    ),
)


def word(job: CondorJob) -> Word:
    """What HTCondor says of a job."""
    phase = _PHASES.get(job.status, "unclear")
    told = Word(str(job.cluster), phase, host=job.host or None)
    if job.status == 5 and (end := _ended_by_hold(job)):
        return Word(told.id, "over", ended=end, host=told.host)
    if job.status == 1 and job.starts and job.rule == STARTED_BEFORE:
        # it is held in a moment
        return Word(told.id, "over", ended=_STARTED_BEFORE, host=told.host)
    if phase == "waits":
        return Word(told.id, "waits", waits=waiting(job), host=told.host)
    if job.status == 4:
        return Word(told.id, "over", ended=_completed(job), host=told.host)
    return told


def waiting(job: CondorJob) -> Reason:
    """Why a waiting job waits."""
    if job.status == 5 and job.hold != holds.SPOOLING:
        return Reason(code="held", text=holds.held(job))
    if job.status == 5:
        return _waits("HTCondor is taking over this job's files.")
    if job.starts and job.matched_at and not job.rejected_at:
        return _waits("HTCondor took this job's place back. It starts again by itself.")
    for sign, text in _WAITS:
        if sign in job.rejected.lower():
            return _waits(text)
    if job.rejected:
        return _waits(f"Waits in HTCondor ({job.rejected}).")
    return _waits("Waits in HTCondor: it has not been looked for a place yet.")


def _ended_by_hold(job: CondorJob) -> tuple[Reason, Reason] | None:
    """Why a held job is over: before any code ran, and after; ``None``: it can be released.

    One that may run again from its start, or its newest checkpoint, waits for the person's word.
    """
    if job.hold == 3 and job.hold_sub == STARTED_BEFORE:
        return _STARTED_BEFORE
    if job.again and job.point is None:
        return None
    code, text = _OVER.get(job.hold, (None, ""))
    if code is None and job.starts and holds.is_rule(job) and holds.cause(job) == "memory":
        code, text = _OVER[34]
    if code is None:
        return None
    return Reason(code=code, text=text), Reason(code=code, text=f"{text} {_KEPT}")


def _completed(job: CondorJob) -> tuple[Reason, Reason]:
    how = f"ended with code {job.exit_code}" if job.exit_code is not None else "ended"
    if job.signal is not None:
        how = f"was ended by signal {job.signal}"
    before = (
        f"HTCondor started this job, and its program {how} before any of your code ran. "
        "The end of htcondor.log in the job's folder says why."
    )
    after = f"The program that ran this job {how} and left no word on how the job ended. {_KEPT}"
    return Reason(code="not-started", text=before), Reason(code="runner-died", text=after)


_KEPT: Final = "What it had written so far was kept."
_STARTED_BEFORE: Final = (
    Reason(
        code="preempted",
        text="HTCondor took this job's place back before any of your code ran, and the job may "
        "not run again from its start. Run it again, or mark it evictable.",
    ),
    Reason(
        code="preempted",
        text="HTCondor took this job's place back, or its machine was lost. It was not started a "
        f"second time, because your code may have had effects already. {_KEPT}",
    ),
)


def _waits(text: str) -> Reason:
    return Reason(code="waits-in-queue", text=text)
