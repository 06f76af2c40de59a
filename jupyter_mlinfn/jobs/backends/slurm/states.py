"""What Slurm's states and reasons mean for a job, in words. Pure; every known one is a test."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from jupyter_mlinfn.jobs.backends.slurm.parsing import SlurmJob
from jupyter_mlinfn.jobs.backends.told import Phase, Word
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.model.jobs import Reason, ReasonCode

_PHASES: Final[dict[str, Phase]] = {
    "PENDING": "waits",
    "REQUEUED": "waits",
    "REQUEUE_FED": "waits",
    "REQUEUE_HOLD": "waits",
    "SPECIAL_EXIT": "waits",
    "RESV_DEL_HOLD": "waits",
    "CONFIGURING": "starts",
    "POWER_UP_NODE": "starts",
    "RUNNING": "runs",
    "SUSPENDED": "runs",
    "STOPPED": "runs",
    "SIGNALING": "runs",
    "RESIZING": "runs",
    "STAGE_OUT": "runs",
    # its processes are being ended: how it ends is known when that is done
    "COMPLETING": "runs",
    "COMPLETED": "over",
    "CANCELLED": "over",
    "FAILED": "over",
    "TIMEOUT": "over",
    "DEADLINE": "over",
    "NODE_FAIL": "over",
    "BOOT_FAIL": "over",
    "LAUNCH_FAILED": "over",
    "RECONFIG_FAIL": "over",
    "OUT_OF_MEMORY": "over",
    "PREEMPTED": "over",
    "REVOKED": "over",
}

_WAITS: Final[dict[str, str]] = {
    "Priority": "Waits in Slurm behind jobs of higher priority.",
    "Resources": "Waits in Slurm until enough CPUs, memory or GPUs are free. It is next in line.",
    "BeginTime": "Slurm starts this job again a little later: its place was needed for another.",
    "Dependency": "Waits in Slurm for another job to end.",
    "DependencyNeverSatisfied": "Waits in Slurm for a job that did not end as it had to.",
    "Licenses": "Waits in Slurm for a licence to be free.",
    "Reservation": "Waits in Slurm for its reservation to begin.",
    "PartitionDown": "The queue is closed for now; Slurm starts the job when it opens.",
    "PartitionInactive": "The queue takes no jobs for now; Slurm starts the job when it does.",
    "PartitionNodeLimit": "This queue never gives one job so many machines. Cancel the job and "
    "ask for less or choose another queue.",
    "PartitionTimeLimit": "This queue never runs a job so long. Cancel the job and ask for less "
    "time or choose another queue.",
    "ReqNodeNotAvail": "The machines this job needs are reserved or out of service for now.",
    "NodeDown": "The machine this job needs is down.",
    "Prolog": "The machine is being prepared for the job.",
    "Cleaning": "The job's last start is being cleared away.",
    "JobArrayTaskLimit": "Waits for other points of its sweep: so many may run at once.",
}

_NEVER: Final = "DependencyNeverSatisfied"
_NEVER_STARTS: Final = Reason(
    code="dependency-failed",
    text="A job that had to succeed first did not. None of your code ran.",
)

_HELD: Final[dict[str, str]] = {
    "JobHeldUser": "You, or a program of yours, put this job on hold in Slurm. "
    "Release it with 'scontrol release', or cancel it.",
    "JobHeldAdmin": "An administrator put this job on hold in Slurm. Ask them, or cancel it.",
    "JobHoldMaxRequeue": "Slurm started this job too often and holds it now. "
    "Release it with 'scontrol release', or cancel it.",
}


def phase(job: SlurmJob) -> Phase:
    """Where the job is; ``unclear`` for a state this program does not know."""
    return _PHASES.get(job.state, "unclear")


def word(job: SlurmJob) -> Word:
    """All that Slurm says of a job."""
    where, host = phase(job), job.nodes or None
    if where == "waits":
        return Word(job.id, where, waits=waiting(job), host=host)
    if where == "over":
        ends = (ended(job, begun=False), ended(job, begun=True))
        if job.reason == _NEVER:
            ends = (_NEVER_STARTS, _NEVER_STARTS)
        return Word(job.id, where, ended=ends, host=host)
    return Word(job.id, where, host=host)


def elements(jobs: Sequence[SlurmJob]) -> list[Element]:
    """What Slurm says of the elements of a sweep's arrays; a word is only made where one asks."""
    return [
        Element(job.id, job.indexes, job.state, phase(job), partial(word, job))
        for job in jobs
        if job.indexes is not None
    ]


def withdrawn(array: str, indexes: Sequence[int]) -> Element:
    """Elements that left the queue and were never started: somebody cancelled them there."""
    word = Word(array, "over", ended=(None, _FORGOTTEN))
    return Element(array, tuple(indexes), "WITHDRAWN", "over", lambda: word)


def waiting(job: SlurmJob) -> Reason:
    """Why a waiting job waits, and when it is expected to start if Slurm told."""
    if job.reason.startswith("launch failed"):
        text = (
            "Slurm could not start this job on the machine it had chosen, and holds it now. "
            "Release it with 'scontrol release', or cancel it."
        )
        return Reason(code="held", text=text)
    if job.reason in _HELD:
        return Reason(code="held", text=_HELD[job.reason])
    text = _WAITS.get(job.reason) or _limit(job.reason)
    if job.start is not None and job.reason in ("Priority", "Resources", "BeginTime"):
        when = job.start.astimezone()
        text += f" Expected to start about {when:%H:%M} on {when:%Y-%m-%d}."
    return Reason(code="waits-in-queue", text=text)


def ended(job: SlurmJob, *, begun: bool) -> Reason | None:
    """Why a job is over that left no word of its own; ``None``: it was cancelled in Slurm.

    ``begun``: some of the person's code ran.
    """
    code, text = _ENDS.get(job.state, ("runner-died", f"Slurm says {job.state} of this job."))
    if job.state == "CANCELLED":
        return None
    if job.state in ("FAILED", "COMPLETED") and not begun:
        code, text = "not-started", _NEVER_BEGAN
    kept = " What it had written so far was kept." if begun else ""
    return Reason(code=code, text=text + kept)


_FORGOTTEN: Final = Reason(
    code="lost",
    text="Slurm has forgotten how this point ended, and it left no word of its own. What it had "
    "written so far was kept.",
)

_NEVER_BEGAN = (
    "Slurm started this job, and it ended before any of your code ran. "
    "The end of slurm.log in the job's folder says why."
)

_ENDS: Final[dict[str, tuple[ReasonCode, str]]] = {
    "TIMEOUT": ("time-limit", "Slurm ended the job at its time limit. Ask for more time."),
    "DEADLINE": ("time-limit", "Slurm ended the job at its deadline."),
    "OUT_OF_MEMORY": (
        "out-of-memory",
        "The job used more memory than it asked for and was ended. Ask for more.",
    ),
    "NODE_FAIL": ("node-lost", "The machine that ran this job failed."),
    "BOOT_FAIL": ("node-lost", "The machine for this job could not be started."),
    "LAUNCH_FAILED": ("not-started", "Slurm could not start this job on its machine."),
    "RECONFIG_FAIL": ("not-started", "The machine for this job could not be set up."),
    "PREEMPTED": ("preempted", "Slurm took this job's place back for another job."),
    "REVOKED": ("lost", "Slurm gave this job to another cluster."),
    "FAILED": ("runner-died", "The program that ran this job was killed from outside."),
    "COMPLETED": (
        "runner-died",
        "Slurm says the job is over, and it left no word on how it ended.",
    ),
}


def _limit(reason: str) -> str:
    """The many reasons that name a limit of a QoS, an association or a group."""
    if reason.startswith(("QOS", "Assoc", "MaxJobs", "MaxCpu", "MaxMem", "MaxGRES", "Grp")):
        return (
            f"Waits in Slurm because a limit of your account is used up ({reason}). "
            "It starts when other jobs of the account end."
        )
    return f"Waits in Slurm ({reason})." if reason else "Waits in Slurm."
