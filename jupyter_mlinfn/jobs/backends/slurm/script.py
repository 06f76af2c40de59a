"""The one script Slurm runs, and the options beside it: no text of a person is in either."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.backends.slurm.parsing import UNTYPED
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import QUEUE_NAME, JobSpec, Resources
from jupyter_mlinfn.process.detach import own_program

NAME: Final = "mlinfn-"
"""Jobs are called ``mlinfn-<id>`` in Slurm: what is looked for before anything is submitted."""

WARNING: Final = 60
"""Seconds before its own limit at which Slurm tells the job to end."""

_SLACK: Final = 90
"""More than the warning: the job's own limit comes first, and its results are still published."""

_PROGRAM: Final = "jupyter_mlinfn.jobs.batch"
_OPTION: Final = re.compile(QUEUE_NAME, re.ASCII)


def script(
    job_folder: Path, grace: str = "", *, offset: int | None = None, python: str = ""
) -> bytes:
    """The batch script. Raises :class:`Refused` for a folder whose name spans lines.

    ``grace``: seconds between Slurm's warning and the end by force, where a site has set others
    than Slurm's own (``KillWait``, or the partition's ``GraceTime``, less a few). ``offset``: for
    an array; what an element's index has to be raised by to be the number of its point. ``python``:
    the Python to run there, where it is not the one that runs here.
    """
    words = (_PROGRAM, str(job_folder), "slurm")
    argv = (python, "-I", "-m", *words) if python else own_program(*words)
    if any(not word.isprintable() for word in argv):
        raise Refused(
            "The folder for jobs, or this Python, lies under a name with control characters, "
            "which Slurm cannot be given. Choose another data_dir.",
            code="bad-folder",
        )
    told = f"export MLINFN_GRACE_SECONDS={int(grace)}\n" if grace.isdecimal() else ""
    point = "" if offset is None else f' "$((SLURM_ARRAY_TASK_ID + {offset}))"'
    return f"#!/bin/sh\n{told}exec {shlex.join(argv)}{point}\n".encode()


def array_options(array: Array, token: str, throttle: int | None, after: str | None) -> list[str]:
    """What is added for an array: its elements, its own token, what has to end before it."""
    elements = ranges.written(number - array.offset for number in array.numbers())
    at_once = "" if throttle is None else f"%{throttle}"
    given = [f"--array={elements}{at_once}", f"--comment={token}"]
    return given if after is None else [*given, f"--dependency=afterany:{int(after)}"]


def dependency(jobs: Sequence[tuple[str, str | None]]) -> tuple[str, ...]:
    """What a job comes after: ``afterany`` or ``afterok``, each with Slurm's number of one that has
    not ended. Slurm takes a job out that never can start."""
    named = [f"{kind}:{int(number)}" for kind, number in jobs if number is not None]
    if not named:
        return ()
    return (f"--dependency={','.join(named)}", "--kill-on-invalid-dep=yes")


def options(
    spec: JobSpec,
    job_folder: Path,
    site: Mapping[str, str],
    limit: int | None,
    kind: str | None = None,
) -> tuple[str, ...]:
    """The options of ``sbatch``. ``site`` are the settings' defaults (``queue``, ``charge``,
    ``qos``, ``evictable_queue``, ``gpu_model``); ``limit`` is the queue's own, in seconds;
    ``kind`` the type of GPU that was found for what the job asks of one.
    """
    log = str(job_folder / "slurm.log").replace("%", "%%")
    given = (
        "--parsable",
        "--export=NONE",
        f"--job-name={NAME}{spec.id}",
        f"--comment={spec.token}",
        f"--chdir={job_folder}",
        f"--output={log}",
        f"--error={log}",
        "--open-mode=append",
        "--requeue" if spec.evictable or spec.retries else "--no-requeue",
        f"--signal=B:TERM@{WARNING}",
    )
    place = queue_of(spec.queue, site, evictable=spec.evictable)
    return (*given, *asking(spec.resources, place, spec.charge, site, limit, kind))


def asking(
    asked: Resources,
    queue: str | None,
    charge: str | None,
    site: Mapping[str, str],
    limit: int | None,
    kind: str | None,
) -> tuple[str, ...]:
    """Those of the options that say how much, where and who pays."""
    seconds = asked.time + _SLACK
    if limit is not None:
        seconds = min(seconds, limit)
    given = [
        f"--time={max(1, math.ceil(seconds / 60))}",
        f"--mem={math.ceil(asked.memory / 2**20)}M",
        "--ntasks=1",
        f"--cpus-per-task={asked.cpus}",
    ]
    if asked.gpus:
        model = kind or site.get("gpu_model")
        typed = model and model != UNTYPED
        given.append(f"--gres=gpu:{model}:{asked.gpus}" if typed else f"--gres=gpu:{asked.gpus}")
    places = {
        "partition": queue,
        "account": charge or site.get("charge"),
        "qos": site.get("qos"),
    }
    return (*given, *(f"--{name}={_checked(word)}" for name, word in places.items() if word))


def queue_of(queue: str | None, site: Mapping[str, str], *, evictable: bool = False) -> str | None:
    """The partition a job goes to; ``None``: Slurm's own default."""
    return queue or (site.get("evictable_queue") if evictable else None) or site.get("queue")


def _checked(word: str) -> str:
    """A name for an option. Raises :class:`Refused` for what is no name: a record may be old."""
    if not _OPTION.fullmatch(word):
        raise Refused(f"{word!r} is no name of a queue or an account.", code="bad-queue")
    return word
