"""Before a job starts: the files of its environment, where they were removed since the submit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.runner.logfile import LogFile
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome
from jupyter_mlinfn.jobs.runner.stopping import Stopping

if TYPE_CHECKING:
    from jupyter_mlinfn.model.environments import EnvironmentRef

_LOOK_EVERY = 0.2


def bring_back_environment(folder: AttemptFolder, log: LogFile, stopping: Stopping) -> None:
    """Install the recorded lock again if its prefix is gone; returns at once if it is there.

    Raises :class:`Ended` (``environment-missing``) when that fails, with what to do.
    """
    recorded = read_json(folder.bundle / "environment.json") or {}
    ref = recorded.get("ref") or {}  # one that is damaged is found when it is verified
    if not ref.get("locked") or not ref.get("prefix") or Path(ref["prefix"]).is_dir():
        return
    log.write("The environment's files are gone. They are installed again from its lock.\n")
    log.flush()
    # imported by need: hardly ever a job has to do this
    from jupyter_mlinfn.model.environments import EnvironmentRef
    from jupyter_mlinfn.model.errors import MlinfnError

    try:
        lock = (folder.bundle / "conda-lock.yml").read_text(encoding="utf-8")
        _install(EnvironmentRef.model_validate(ref), lock, stopping)
    except MlinfnError as error:
        raise _missing(f"{error.text} {error.hint or ''}") from error
    except OSError as error:
        raise _missing("Its lock is not in the job's folder.") from error


def _install(ref: EnvironmentRef, lock: str, stopping: Stopping) -> None:
    """Wait until the prefix of ``ref`` is there, whoever installs it."""
    from jupyter_mlinfn.environments.own.rebuilding import Rebuilding
    from jupyter_mlinfn.model.errors import Conflict

    rebuilding = Rebuilding(ref, lock)
    while not Path(ref.prefix or "").is_dir():
        stopping.check()
        try:
            task = rebuilding.start()
        except Conflict:
            time.sleep(_LOOK_EVERY)  # another task, maybe another job's, works on it
            continue
        while task.state == "running":
            if stopping.asked:
                rebuilding.tasks.cancel(task.id)
                stopping.check()
            time.sleep(_LOOK_EVERY)
            task = rebuilding.tasks.read(task.id)
        if task.state != "succeeded" or not Path(ref.prefix or "").is_dir():
            raise _missing(task.result.text if task.result else "")


def _missing(why: str) -> Ended:
    text = f"The environment's files are gone, and they could not be installed again. {why}"
    return Ended(Outcome.failed("environment-missing", text.strip()))
