"""The submit description of a job: no text of a person is in it, but for checked names.

The submit language expands ``$(NAME)`` in every value, joins lines that end with a backslash, and
has its own quoting for arguments (HTCondor's manual, "condor_submit"). Folders may be called
anything: they are escaped here, and what cannot be escaped is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.amending import asking
from jupyter_mlinfn.jobs.backends.htcondor.parsing import TOKEN, is_id
from jupyter_mlinfn.jobs.backends.htcondor.states import STARTED_BEFORE
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import QUEUE_NAME, JobSpec
from jupyter_mlinfn.model.releasing import Asking
from jupyter_mlinfn.process.detach import own_program

NAME: Final = "mlinfn-"
"""Jobs are called ``mlinfn-<id>`` in HTCondor."""

POOL: Final = "pool"
"""HTCondor has no queues: what is offered is the whole pool, under this name."""

_SLACK: Final = 90
"""Seconds more than the job's own limit, which comes first: its results are still published."""
_VACATE: Final = 120
"""Seconds a job has to save what it has when its place is taken back or it is removed."""
_SPARE: Final = 15
_WAITING: Final = "500"
_STAYS: Final = 600
"""Seconds for which a job that is over stays in the queue: one question tells its end then."""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED: Final = ("HOME", "USER", "LOGNAME", "LANG", "TZ")
_OPTION: Final = re.compile(QUEUE_NAME, re.ASCII)

_SUBMITTED: Final = {
    "RequestCpus": "request_cpus",
    "RequestMemory": "request_memory",
    "AllowedJobDuration": "allowed_job_duration",
    "RequestDisk": "request_disk",
}
"""The submit language's names of attributes."""

_OVER: Final = (
    f"HoldReasonCode == 34 || HoldReasonCode == 46 || HoldReasonCode == 47"
    f" || (HoldReasonCode == 3 && HoldReasonSubCode == {STARTED_BEFORE})"
)

_FINAL: Final = "(MLInfnAgain =!= true || MLInfnPoint =!= undefined)"
"""A job that may be started once more waits for the person, however long it is held."""


def description(
    spec: JobSpec,
    job_folder: Path,
    site: Mapping[str, str],
    environ: Mapping[str, str],
    disk: int | None = None,
) -> dict[str, str]:
    """For ``htcondor2.Submit``. ``site`` are the settings; ``environ`` is the person's; ``disk``
    bytes of the machine's own.

    Raises :class:`Refused` for what cannot be given to HTCondor.
    """
    if not is_id(spec.id) or not TOKEN.fullmatch(spec.token):
        raise Refused("This job's id or token is damaged.", code="bad-job")
    asked = asking(spec.resources, disk)
    program, *arguments = own_program("jupyter_mlinfn.jobs.batch", str(job_folder), "htcondor")
    log = plain(str(job_folder / "htcondor.log"))
    variables = [*_variables(environ), f"MLINFN_GRACE_SECONDS={_VACATE - _SPARE}"]
    given = {
        "universe": "vanilla",
        "executable": plain(program),
        "arguments": listed(arguments),
        "environment": listed(variables, "MLINFN_CONDOR_ID='$(ClusterId)'"),
        "initialdir": plain(str(job_folder)),
        "output": log,
        "error": log,
        "transfer_executable": "false",
        "should_transfer_files": "NO",
        "notification": "never",
        "batch_name": f"{NAME}{spec.id}",
        "My.MLInfnJobId": f'"{spec.id}"',
        "My.MLInfnToken": f'"{spec.token}"',
        **{_SUBMITTED[name]: value for name, value in amounts(asked).items()},
        "kill_sig": "SIGTERM",
        "want_graceful_removal": "true",
        "job_max_vacate_time": str(_VACATE),
        "leave_in_queue": f"(JobStatus == 3 || JobStatus == 4) && {_since()} < {_STAYS}",
        "periodic_remove": f"JobStatus == 5 && ({_OVER}) && {_since()} > {_STAYS} && {_FINAL}",
    }
    return given | _once(spec, site) | _gpus(spec, site) | _charged(spec, site, environ)


def amounts(asked: Asking) -> dict[str, str]:
    """What a job asks for, by the attributes of its ad; also what can be changed while it is
    held."""
    told = {
        "RequestCpus": str(asked.cpus),
        "RequestMemory": str(math.ceil(asked.memory / 2**20)),
        "AllowedJobDuration": str(asked.time + _SLACK),
    }
    if asked.disk is not None:
        told["RequestDisk"] = str(math.ceil(asked.disk / 2**10))
    return told


def sweep(
    spec: JobSpec,
    job_folder: Path,
    site: Mapping[str, str],
    environ: Mapping[str, str],
    token: str,
) -> dict[str, str]:
    """As :func:`description`, for the points of a sweep: ``$(Number)`` is a point's own number and
    ``$(Index)`` the one in its cluster (see :func:`items`).

    The queue holds at most as many jobs as may run at once, or a few hundred that wait: HTCondor
    makes the others as these end. So they may not stay in it when they are over.
    """
    if not TOKEN.fullmatch(token):
        raise Refused("This job's token is damaged.", code="bad-job")
    given = description(spec, job_folder, site, environ)
    words = given["arguments"].removesuffix('"')
    variables = given["environment"].replace("$(ClusterId)", "$(ClusterId).$(ProcId)")
    most = {"max_materialize": str(spec.throttle)} if spec.throttle else {"max_idle": _WAITING}
    return (
        given
        | most
        | {
            "arguments": f"{words} '$(Number)'\"",
            "environment": variables,
            "My.MLInfnToken": f'"{token}"',
            "My.MLInfnPoint": "$(Index)",
            "leave_in_queue": "false",
        }
    )


def items(numbers: Sequence[int], offset: int) -> list[dict[str, str]]:
    """The variables of each point of a cluster."""
    return [{"Number": str(number), "Index": str(number - offset)} for number in numbers]


def _once(spec: JobSpec, site: Mapping[str, str]) -> dict[str, str]:
    """HTCondor starts every job again whose place it took: only some may run twice."""
    wanted = [f"({site['requirements']})"] if site.get("requirements") else []
    given = {"My.MLInfnAgain": "true"}
    if not (spec.evictable or spec.retries):
        wanted.append("(MY.NumJobStarts ?: 0) == 0")
        given = {
            "periodic_hold": "JobStatus == 1 && (NumJobStarts ?: 0) > 0",
            "periodic_hold_subcode": str(STARTED_BEFORE),
            "periodic_hold_reason": '"it may not run again from its start"',
        }
    return given | ({"requirements": " && ".join(wanted)} if wanted else {})


def _gpus(spec: JobSpec, site: Mapping[str, str]) -> dict[str, str]:
    if not spec.resources.gpus:
        return {}
    given = {"request_gpus": str(spec.resources.gpus)}
    if model := site.get("gpu_model"):
        given["require_gpus"] = f"DeviceName == {_string(model)}"
    return given


def _charged(spec: JobSpec, site: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    group = spec.charge or site.get("charge")
    if not group:
        return {}
    return {"accounting_group": _name(group), "accounting_group_user": _name(spec.user)}


def _since() -> str:
    return "time() - EnteredCurrentStatus"


def _variables(environ: Mapping[str, str]) -> list[str]:
    """The environment of our program on the machine: where the person is at home, no more."""
    passed = [f"{name}={environ[name]}" for name in _PASSED if name in environ]
    return [f"PATH={_PATH}", *passed]


def listed(words: Sequence[str], *own: str) -> str:
    """Words in the submit language's own quoting; ``own`` are in it already."""
    quoted = ("'" + word.replace("'", "''").replace('"', '""') + "'" for word in words)
    return '"' + " ".join((plain(" ".join(quoted)), *own)) + '"'


def plain(text: str) -> str:
    """A text that the submit language leaves as it is."""
    meant = not text.isprintable() or text != text.strip() or text.endswith("\\")
    if meant or "$$" in text:
        raise Refused(
            f"HTCondor cannot be given the name {text!r}: control characters, blanks or a "
            "backslash at its ends, and '$$' have a meaning there. Choose another data_dir.",
            code="bad-folder",
        )
    return text.replace("$", "$(DOLLAR)")


def _string(text: str) -> str:
    """A ClassAd string."""
    return '"' + plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name(word: str) -> str:
    """A name of a group or a person. Raises :class:`Refused` for what is none: a record may be
    old."""
    if not _OPTION.fullmatch(word):
        raise Refused(f"{word!r} is no name of a group or a person.", code="bad-charge")
    return word
