"""What there is of the machine itself: one function a check."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from jupyter_mlinfn.diagnosis.checks import Check
from jupyter_mlinfn.model.quantities import show_memory

if TYPE_CHECKING:
    from jupyter_mlinfn.workbench import Workbench

LITTLE_SPACE: Final = 2 * 2**30
GPU_PATIENCE: Final = 5.0


def python(bench: Workbench) -> Check:
    """The interpreter and this package."""
    from importlib.metadata import version

    text = (
        f"Python {platform.python_version()} in {sys.prefix}, "
        f"jupyter_mlinfn {version('jupyter_mlinfn')}"
    )
    return Check(name="python", state="ok", text=text)


def panels(bench: Workbench) -> Check:
    """Whether JupyterLab finds the panels that belong to this package."""
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("labextensions"):
        if (Path(folder) / "jupyter_mlinfn" / "package.json").is_file():
            return Check(name="panels", state="ok", text=f"The JupyterLab panels are in {folder}.")
    return Check(
        name="panels",
        state="missing",
        text="The JupyterLab panels are not installed for this Python. The program works alone.",
        hint="Install the package with pip into the environment that starts JupyterLab.",
    )


def data_folder(bench: Workbench) -> Check:
    """Writable, with space, and where the index lies when the folder is shared."""
    from jupyter_mlinfn.database.location import is_network

    folder = bench.data_dir
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"mlinfn")
        probe.flush()
        os.fsync(probe.fileno())
    free = shutil.disk_usage(folder).free
    kind = "on a network file system" if is_network(folder) else "on a local disk"
    text = f"{folder}, {kind}, {show_memory(free)} free"
    if free < LITTLE_SPACE:
        hint = "Make room, or remove old jobs: mlinfn job clean --older-than 30d"
        return Check(name="data-folder", state="warning", text=text, hint=hint)
    return Check(name="data-folder", state="ok", text=text)


def job_index(bench: Workbench) -> Check:
    """The database of jobs opens and answers."""
    counts = bench.store.counts()
    jobs = "1 job" if counts.total == 1 else f"{counts.total} jobs"
    text = f"{jobs}: {counts.running} running, {counts.queued} queued"
    return Check(name="job-index", state="ok", text=text)


def kernels(bench: Workbench) -> Check:
    """The kernels jobs can run in."""
    choices = bench.environments.choices()
    if not choices:
        return Check(
            name="kernels",
            state="missing",
            text="There is no kernel, so no notebook can run.",
            hint="Install one: pip install ipykernel, then python -m ipykernel install --user",
        )
    names = [choice.name for choice in choices]
    broken = [choice.name for choice in choices if bench.environments.problem(choice)]
    text = f"{len(names)} found: {', '.join(names)}"
    if broken:
        text += f"; their program is gone: {', '.join(broken)}"
        state: Literal["missing", "warning"] = "warning" if len(broken) < len(names) else "missing"
        hint = "Remove them: jupyter kernelspec remove NAME"
        return Check(name="kernels", state=state, text=text, hint=hint)
    return Check(name="kernels", state="ok", text=text)


def capacity(bench: Workbench) -> Check:
    """What jobs on this machine may use together."""
    local = bench.backends.get("local")
    if local is None:
        return Check(
            name="capacity",
            state="missing",
            text="The back-end for this machine is not installed.",
            hint="Install jupyter_mlinfn again: its entry points are incomplete.",
        )
    limits = local.limits()
    cpus = f"{limits.cpus} CPU" + ("s" if limits.cpus > 1 else "")
    text = f"Jobs on this machine may use {cpus} and {show_memory(limits.memory)} together."
    return Check(name="capacity", state="ok", text=text)


def control_groups(bench: Workbench) -> Check:
    """Whether the kernel keeps memory limits: a group is made and removed again."""
    from jupyter_mlinfn.process.cgroup import ControlGroup

    group = ControlGroup.planned(f"mlinfn-doctor-{os.getpid()}").create(2**30)
    try:
        kept = any(
            (folder / name).exists()
            for folder in group.folders
            for name in ("memory.max", "memory.limit_in_bytes")
        )
    finally:
        group.remove()
    if kept:
        text = "The kernel keeps each job below the memory that it asked for."
        return Check(name="cgroup", state="ok", text=text)
    return Check(
        name="cgroup",
        state="missing",
        text="No control group can be made here: the memory of jobs is watched, not walled in.",
        hint="A job can exceed its memory for a moment before it is ended. Nothing needs doing.",
    )


def dispatcher(bench: Workbench) -> Check:
    """Whether the program that starts waiting jobs runs, and whether it should."""
    from jupyter_mlinfn.jobs.waking import lives

    waiting = bench.store.counts().queued
    alive = lives(bench.backend_context.state_dir)
    if alive:
        return Check(name="dispatcher", state="ok", text=f"It runs; {waiting} jobs wait.")
    if not waiting:
        return Check(name="dispatcher", state="ok", text="Nothing waits, so it does not run.")
    return Check(
        name="dispatcher",
        state="warning",
        text=f"It does not run, and {waiting} jobs wait.",
        hint="'mlinfn jobs' starts it again.",
    )


def gpus(bench: Workbench) -> Check:
    """The accelerators the driver shows."""
    from jupyter_mlinfn.gpus.snapshot import take_snapshot

    simulated = bench.settings.gpus_simulated
    snapshot = take_snapshot(deadline=GPU_PATIENCE, simulated=simulated)
    if snapshot.missing:
        return Check(name="gpus", state="missing", text=snapshot.missing)
    usable = [device for device in snapshot.accelerators if not device.cut]
    sick = [device for device in usable if device.state != "ok"]
    names = sorted({device.mig.profile if device.mig else device.name for device in usable})
    text = f"{len(usable)} accelerators: {', '.join(names)}" + (
        " (simulated)" if snapshot.simulated else ""
    )
    if sick:
        text += f"; {len(sick)} lost or silent"
        hint = "Tell the administrator; 'mlinfn gpus' shows which."
        return Check(name="gpus", state="warning", text=text, hint=hint)
    return Check(name="gpus", state="ok", text=text)
