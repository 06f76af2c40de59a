"""What went wrong, as the result of a task."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.environments.engine.certificates import not_certified
from jupyter_mlinfn.environments.engine.failures import of_system
from jupyter_mlinfn.environments.locks.certificates import no_certificates
from jupyter_mlinfn.model.environment_tasks import TaskResult
from jupyter_mlinfn.model.errors import MlinfnError


def failure(error: BaseException, folder: Path) -> TaskResult:
    """The result of a task in ``folder`` that ended with ``error``.

    What is no error of ours goes to the log with the place where it happened.
    """
    if isinstance(error, MlinfnError):
        return _result(error)
    traceback.print_exception(error)
    if not_certified(error):
        return _result(no_certificates())
    if isinstance(error, OSError):
        return _result(of_system(error, folder))
    return _result(_unforeseen(error, folder))


def _result(error: MlinfnError) -> TaskResult:
    text = " ".join(part for part in (error.text, error.problems[0].hint) if part)
    return TaskResult(
        state="failed",
        ended_at=datetime.now(UTC),
        text=text,
        exit_code=error.exit_code,
        code=error.code,
        problems=error.problems,
    )


def _unforeseen(error: BaseException, folder: Path) -> MlinfnError:
    return MlinfnError(
        f"Something went wrong that nobody foresaw ({type(error).__name__}: {error}). "
        "The environment is as it was before.",
        code="internal-error",
        hint=f"What happened exactly is in {folder / 'log'}; please report it.",
    )
