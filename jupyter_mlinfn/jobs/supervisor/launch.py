"""Starting the runner: its environment, its control group, its place in the process table."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.attempt import TOKEN_VARIABLE, AttemptFolder, Slot
from jupyter_mlinfn.jobs.checkpoints import remove_torn
from jupyter_mlinfn.process.cgroup import ControlGroup
from jupyter_mlinfn.process.child import Child, start_child
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.redaction import job_environment

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "JULIA_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
"""Thread pools that would otherwise take every CPU of the machine."""


def environment(folder: AttemptFolder, slot: Slot, environ: Mapping[str, str]) -> dict[str, str]:
    """Everything the job's processes see: the allow-list, the slot, the job's own folders."""
    return {
        **job_environment(environ),
        **dict.fromkeys(_THREAD_VARIABLES, str(slot.cpus)),
        # empty means "no GPU" to CUDA; without the variable a job would see all of them
        "CUDA_VISIBLE_DEVICES": ",".join(slot.accelerators),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "MLINFN_JOB": slot.job,
        **({} if slot.point is None else {"MLINFN_POINT": str(slot.point)}),
        "MLINFN_JOB_DIR": str(folder.path),
        "MLINFN_OUTPUT_DIR": str(folder.outputs),
        "MLINFN_CHECKPOINTS": str(folder.checkpoints),
        "MLINFN_ENDS_AT": f"{_ends_at(slot, environ):.0f}",
        **credentials.variables(folder.job_folder),
        TOKEN_VARIABLE: slot.attempt_token,
    }


def _ends_at(slot: Slot, environ: Mapping[str, str]) -> float:
    """When the job must have ended, seconds since 1970: its own limit, or the system's."""
    own = time.time() + slot.time
    told = environ.get("SLURM_JOB_END_TIME", "")
    return min(own, float(told)) if slot.system == "slurm" and told.isdigit() else own


def start_runner(
    folder: AttemptFolder, slot: Slot, group: ControlGroup, pass_fds: Sequence[int]
) -> Child:
    """Start the runner of an attempt. Raises OSError when no program can be started."""
    folder.outputs.mkdir(mode=0o700, exist_ok=True)
    folder.checkpoints.mkdir(mode=0o700, exist_ok=True)
    remove_torn(folder.checkpoints)
    credentials.renew(folder.job_folder)
    log = os.open(folder.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return start_child(
            own_program("jupyter_mlinfn.jobs.runner", str(folder.path)),
            env=environment(folder, slot, os.environ),
            cwd=folder.path,
            output=log,
            pass_fds=pass_fds,
            group=group,
        )
    finally:
        os.close(log)


def inherited_locks(environ: Mapping[str, str]) -> tuple[int, ...]:
    """Descriptors of accelerator locks that whoever claimed them handed over, if still open."""
    found = []
    for word in environ.get("MLINFN_LOCK_FDS", "").split(","):
        if word.isdigit() and Path(f"/proc/self/fd/{word}").exists():
            os.set_inheritable(int(word), False)  # only the job's own processes get them
            found.append(int(word))
    return tuple(found)
