"""The one script Slurm runs, and the options beside it: no text of a person is in either."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import QUEUE_NAME, JobSpec
from jupyter_mlinfn.process.detach import own_program

NAME: Final = "mlinfn-"
"""Jobs are called ``mlinfn-<id>`` in Slurm: what is looked for before anything is submitted."""

WARNING: Final = 60
"""Seconds before its own limit at which Slurm tells the job to end."""

_SLACK: Final = 90
"""More than the warning: the job's own limit comes first, and its results are still published."""

_OPTION: Final = re.compile(QUEUE_NAME, re.ASCII)


def script(job_folder: Path) -> bytes:
    """The batch script. Raises :class:`Refused` for a folder whose name spans lines."""
    argv = own_program("jupyter_mlinfn.jobs.batch", str(job_folder), "slurm")
    if any(not word.isprintable() for word in argv):
        raise Refused(
            "The folder for jobs, or this Python, lies under a name with control characters, "
            "which Slurm cannot be given. Choose another data_dir.",
            code="bad-folder",
        )
    return f"#!/bin/sh\nexec {shlex.join(argv)}\n".encode()


def options(
    spec: JobSpec, job_folder: Path, site: Mapping[str, str], limit: int | None
) -> tuple[str, ...]:
    """The options of ``sbatch``. ``site`` are the settings' defaults (``queue``, ``charge``,
    ``qos``, ``evictable_queue``, ``gpu_model``); ``limit`` is the queue's own, in seconds.
    """
    asked = spec.resources
    seconds = asked.time + _SLACK
    if limit is not None:
        seconds = min(seconds, limit)
    log = str(job_folder / "slurm.log").replace("%", "%%")
    given = [
        "--parsable",
        "--export=NONE",
        f"--job-name={NAME}{spec.id}",
        f"--comment={spec.token}",
        f"--chdir={job_folder}",
        f"--output={log}",
        f"--error={log}",
        "--open-mode=append",
        "--requeue" if spec.evictable else "--no-requeue",
        f"--time={max(1, math.ceil(seconds / 60))}",
        f"--mem={math.ceil(asked.memory / 2**20)}M",
        "--ntasks=1",
        f"--cpus-per-task={asked.cpus}",
        f"--signal=B:TERM@{WARNING}",
    ]
    if asked.gpus:
        model = site.get("gpu_model")
        given.append(f"--gres=gpu:{model}:{asked.gpus}" if model else f"--gres=gpu:{asked.gpus}")
    places = {
        "partition": queue_of(spec.queue, site, evictable=spec.evictable),
        "account": spec.charge or site.get("charge"),
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
