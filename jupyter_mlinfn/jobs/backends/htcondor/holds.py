"""Why HTCondor holds a job, in words, and what can be changed before it is let go. Pure.

Codes: the table of ``HoldReasonCode`` in "Job ClassAd attributes" of HTCondor's manual.
"""

from __future__ import annotations

import math
import re
from typing import Final

from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.model.quantities import show_memory
from jupyter_mlinfn.model.releasing import Amendable

SPOOLING: Final = 16
"""HTCondor takes over a job's files: no hold that a person has to end."""

_HELD: Final[dict[int, str]] = {
    1: "You, or a program of yours, put this job on hold in HTCondor",
    3: "A rule of the job itself put it on hold",
    4: "HTCondor holds this job: its credentials are damaged",
    5: "HTCondor holds this job: a rule of the job itself cannot be evaluated",
    6: "HTCondor could not start this job's program on the machine it had chosen, and holds it. "
    "Often that machine does not see this Python or the job's folder",
    7: "HTCondor holds this job: its output file cannot be opened on the machine it had chosen",
    8: "HTCondor holds this job: its input file cannot be opened on the machine it had chosen",
    9: "HTCondor holds this job: its output cannot be streamed",
    10: "HTCondor holds this job: its input cannot be streamed",
    11: "HTCondor holds this job: moving its files was not acknowledged",
    12: "HTCondor holds this job: its results could not be brought back",
    13: "HTCondor holds this job: its input could not be brought to the machine",
    14: "HTCondor holds this job: its folder cannot be reached on the machine it had chosen",
    15: "This job was submitted on hold",
    17: "HTCondor holds this job: the machine's version does not fit the job's",
    18: "HTCondor holds this job: moving its files could not begin",
    19: "HTCondor holds this job: the machine's own preparation of it failed",
    20: "HTCondor holds this job: the time at which it had to start has passed",
    21: "The machine that ran this job put it on hold",
    22: "HTCondor holds this job: its log cannot be written",
    23: "HTCondor holds this job: your account is not known on the machine it had chosen",
    24: "HTCondor holds this job: no program on the submit machine can look after it",
    25: "HTCondor holds this job: its times to start cannot be read",
    26: "A rule of the site put this job on hold",
    27: "HTCondor holds this job: a rule of the site cannot be evaluated",
    32: "HTCondor holds this job: its input is larger than the site allows",
    33: "HTCondor holds this job: its output is larger than the site allows",
    35: "HTCondor holds this job: its container image cannot be used",
    36: "HTCondor holds this job: its checkpoint failed",
    43: "HTCondor holds this job: a step before it failed",
    44: "HTCondor holds this job: a step after it failed",
    45: "HTCondor holds this job: containers cannot be run on the machine it had chosen",
    48: "HTCondor holds this job: the submit machine's own preparation of it failed",
}

_RULES: Final = (3, 21, 26)
"""Rules of the job, of the machine and of the site: their own words say what they are about."""

_BY_CODE: Final[dict[int, Amendable]] = {34: "memory", 46: "time", 47: "time"}
_BY_WORDS: Final[tuple[tuple[Amendable, re.Pattern[str]], ...]] = (
    ("memory", re.compile(r"\bmemory\b|\bRSS\b|ResidentSetSize|RequestMemory", re.IGNORECASE)),
    ("disk", re.compile(r"\bdisk\b|DiskUsage|RequestDisk", re.IGNORECASE)),
    ("cpus", re.compile(r"\bcpus?\b|\bcores?\b|RequestCpus|CpusUsage", re.IGNORECASE)),
    ("time", re.compile(r"\bduration\b|\bwall ?time\b|\brun ?time\b", re.IGNORECASE)),
)
_ENDED: Final[dict[Amendable, str]] = {
    "memory": "HTCondor ended this job because it used more memory than it asked for",
    "disk": "HTCondor ended this job because it used more of the machine's disk than it asked for",
    "cpus": "HTCondor ended this job because it used more CPUs than it asked for",
    "time": "HTCondor ended this job at its time limit",
}


def is_rule(job: CondorJob) -> bool:
    """Whether a rule of the job, the machine or the site holds it."""
    return job.hold in _RULES


def cause(job: CondorJob) -> Amendable | None:
    """Which of the things a job asks for its hold is about, as far as HTCondor tells."""
    if known := _BY_CODE.get(job.hold):
        return known
    if not is_rule(job):
        return None
    return next((what for what, words in _BY_WORDS if words.search(job.hold_text)), None)


def used(job: CondorJob) -> int | None:
    """How much a job that ran had used, in bytes, of what its hold is about."""
    if not job.starts:
        return None
    return {"memory": job.memory_used, "disk": job.disk_used}.get(cause(job) or "")


def held(job: CondorJob) -> str:
    """Why a held job is held, and what can be done, with HTCondor's own words."""
    what = cause(job)
    known = _HELD.get(job.hold, f"HTCondor holds this job (code {job.hold})")
    if what and (job.starts or job.hold in _BY_CODE):
        known = _ENDED[what]
    own = f" ({job.hold_text.rstrip('.')})" if job.hold_text else ""
    return f"{known}{_numbers(job, what)}{own}. {_advice(job, what)}"


def _numbers(job: CondorJob, what: Amendable | None) -> str:
    """``: 2.1 GiB, and asked for 512.0 MiB``, as far as both are known."""
    told, asked = used(job), {"memory": job.memory_asked, "disk": job.disk_asked}.get(what or "")
    if told is None or asked is None:
        return ""
    return f": it had {show_memory(told)} and had asked for {show_memory(asked)}"


def _advice(job: CondorJob, what: Amendable | None) -> str:
    plain = f"'mlinfn job release {job.job}'"
    if what is None:
        return (
            f"Release it with {plain} (or, in HTCondor, 'condor_release {job.cluster}') when the "
            "cause is gone, or cancel it. If it asks for the wrong amount of something, say so "
            "there: --memory, --time, --cpus, --disk."
        )
    changed = f"'mlinfn job release {job.job} {_option(job, what)}'"
    if job.starts or job.hold in _BY_CODE:
        end = " It goes on from its newest checkpoint if it has one." if job.starts else ""
        return f"Let it ask for more and release it: {changed}.{end} Or cancel it."
    return (
        f"If it asks for too much or too little, change that and release it: {changed}. Or "
        f"release it as it is with {plain}, or cancel it."
    )


def _option(job: CondorJob, what: Amendable) -> str:
    """Such as ``--memory 4GiB``: twice what it had, where that is known."""
    asked = {"memory": job.memory_asked, "disk": job.disk_asked}.get(what)
    if what == "time":
        return "--time 8h"
    if what == "cpus":
        return "--cpus 2"
    if not asked:
        return f"--{what} 8GiB"
    twice = 2 * max(asked, used(job) or 0)
    if twice < 2**30:
        return f"--{what} {math.ceil(twice / 2**20)}MiB"
    return f"--{what} {math.ceil(twice / 2**30)}GiB"
