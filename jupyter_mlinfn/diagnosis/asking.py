"""Ask everything once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Literal

from jupyter_mlinfn.diagnosis import environments, machine, session, systems
from jupyter_mlinfn.diagnosis.checks import NEEDED, Check, Diagnosis
from jupyter_mlinfn.model.errors import MlinfnError

if TYPE_CHECKING:
    from jupyter_mlinfn.workbench import Workbench

_Look = Callable[["Workbench"], Check]

_ONE_AFTER_THE_OTHER: Final[tuple[tuple[str, _Look], ...]] = (
    ("python", machine.python),
    ("panels", machine.panels),
    ("data-folder", machine.data_folder),
    ("job-index", machine.job_index),
    ("kernels", machine.kernels),
    ("capacity", machine.capacity),
    ("cgroup", machine.control_groups),
    ("dispatcher", machine.dispatcher),
    ("gpus", machine.gpus),
    ("htcondor", systems.htcondor),
)
_BESIDE: Final[tuple[tuple[str, _Look], ...]] = (
    ("slurm", systems.slurm),
    ("package-cache", environments.package_cache),
    ("apptainer", environments.apptainer),
    ("squashfs-tools", environments.squashfs_tools),
    ("images", environments.images),
)
"""They start programs, each with a deadline; they wait beside the others, not after them."""


def failures(diagnosis: Diagnosis) -> list[Check]:
    """The checks that keep every job from running."""
    return [
        check for check in diagnosis.checks if check.name in NEEDED and check.state == "missing"
    ]


def diagnose(bench: Workbench) -> Diagnosis:
    """Look at everything once. Takes a second or two: call it off the event loop."""
    with ThreadPoolExecutor(max_workers=len(_BESIDE)) as pool:
        beside = [pool.submit(_look, name, look, bench) for name, look in _BESIDE]
        checks = [_look(name, look, bench) for name, look in _ONE_AFTER_THE_OTHER]
        checks += (*_further(bench), *session.ports(), *session.unkept())
        return Diagnosis(checks=(*checks, *(one.result() for one in beside)))


def _further(bench: Workbench) -> tuple[Check, ...]:
    try:
        return (*systems.named(bench), *systems.further(bench))
    except Exception as error:  # whatever is broken is what the person wants to be told
        text = f"Further back-ends could not be checked: {type(error).__name__}: {error}"
        return (Check(name="back-ends", state="warning", text=text),)


def _look(name: str, look: _Look, bench: Workbench) -> Check:
    state: Literal["missing", "warning"] = "missing" if name in NEEDED else "warning"
    try:
        return look(bench)
    except MlinfnError as error:
        hint = next((problem.hint for problem in error.problems if problem.hint), None)
        return Check(name=name, state=state, text=error.text, hint=hint)
    except OSError as error:
        text = f"{error.filename or 'A file'} cannot be used: {error.strerror}."
        return Check(name=name, state=state, text=text)
    except Exception as error:  # whatever is broken is what the person wants to be told
        text = f"This could not be checked: {type(error).__name__}: {error}"
        return Check(name=name, state=state, text=text)
