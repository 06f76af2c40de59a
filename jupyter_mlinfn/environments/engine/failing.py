"""What went wrong, as the result of a task."""

from __future__ import annotations

from datetime import UTC, datetime

from jupyter_mlinfn.model.environment_tasks import TaskResult
from jupyter_mlinfn.model.errors import MlinfnError


def failed(error: MlinfnError) -> TaskResult:
    """The result of a task that ended with ``error``."""
    text = " ".join(part for part in (error.text, error.hint) if part)
    return TaskResult(
        state="failed",
        ended_at=datetime.now(UTC),
        text=text,
        exit_code=error.exit_code,
        code=error.code,
        problems=error.problems,
    )
