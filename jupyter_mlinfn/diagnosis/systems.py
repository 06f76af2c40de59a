"""Batch systems: whether their programs are here, and whether we can use them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.diagnosis.checks import Check
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import Frozen

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.workbench import Workbench


class System(Frozen):
    """A batch system: the programs we use of it."""

    name: str
    title: str
    programs: tuple[str, ...]


SLURM: Final = System(name="slurm", title="Slurm", programs=("sbatch", "squeue", "scancel"))
_HTCONDOR: Final = "htcondor"
_NO_CONTROLLER: Final = (
    "'scontrol ping' tells which controller is asked: see that slurmctld runs there, and that "
    "slurm.conf (SLURM_CONF) names it. A job submitted to Slurm waits until it answers."
)


def slurm(bench: Workbench) -> Check:
    """Slurm's programs, and whether somebody answers them; its own deadline is 3 s."""
    seen = _look(bench, SLURM)
    if seen.state != "ok":
        return seen
    try:
        bench.backends[SLURM.name].queues()
    except MlinfnError as error:
        there = bench.settings.slurm_ssh
        where = f"are run on {there} by ssh" if there else "are here"
        text = f"Slurm's programs {where}, and no controller answers them. {error.text}"
        return Check(name=SLURM.name, state="warning", text=text, hint=error.hint or _NO_CONTROLLER)
    return seen


def htcondor(bench: Workbench) -> Check:
    """HTCondor's Python package, and a pool; its programs are not needed."""
    backend = bench.backends.get(_HTCONDOR)
    why = backend.missing() if backend else "The settings leave HTCondor out."
    if why:
        return Check(name=_HTCONDOR, state="missing", text=f"{why} Jobs run on this machine.")
    return Check(name=_HTCONDOR, state="ok", text="HTCondor: jobs can go there.")


def _look(bench: Workbench, system: System) -> Check:
    """Whether we can use ``system``; else which of its programs are not on the path."""
    backend = bench.backends.get(system.name)
    why = backend.missing() if backend else ""
    if backend and not why:
        return Check(name=system.name, state="ok", text=f"{system.title}: jobs can go there.")
    places = {program: shutil.which(program) for program in system.programs}
    absent = [program for program, place in places.items() if place is None]
    if absent:
        which = "is not here" if len(absent) == len(places) else f"lacks {', '.join(absent)}"
        text = f"{system.title} {which}. Jobs run on this machine."
        return Check(name=system.name, state="missing", text=text)
    text = f"{system.title} is here: {places[system.programs[0]]}"
    hint = why or "This version has no back-end for it: jobs run on this machine."
    return Check(name=system.name, state="warning", text=text, hint=hint)


def named(bench: Workbench) -> tuple[Check, ...]:
    """The names in the settings that no back-end has; nothing where all are known."""
    from jupyter_mlinfn.jobs.backends.naming import misnamed

    told = misnamed(bench.settings.named_backends)
    if not told:
        return ()
    hint = "Look at jupyter_mlinfn_config.py, and at MLINFN_BACKENDS where a hub sets it."
    return (Check(name="settings", state="warning", text=" ".join(told), hint=hint),)


def further(bench: Workbench) -> tuple[Check, ...]:
    """The back-ends that a site added by entry point, by name."""
    named = {"local", SLURM.name, _HTCONDOR}
    return tuple(
        _usable(backend) for name, backend in sorted(bench.backends.items()) if name not in named
    )


def _usable(backend: Backend) -> Check:
    try:
        why = backend.missing()
    except Exception as error:  # a site's own back-end may fail in any way
        text = f"{backend.title} cannot be used: {type(error).__name__}: {error}"
        return Check(name=backend.name, state="warning", text=text)
    if why:
        return Check(name=backend.name, state="missing", text=f"{why} Jobs cannot go there.")
    return Check(name=backend.name, state="ok", text=f"{backend.title}: jobs can go there.")
