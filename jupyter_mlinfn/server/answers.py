"""What the server answers that is no noun of ``model``."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, JsonValue

from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import Frozen


class ProblemDocument(Frozen):
    """An error as RFC 9457 has it; ``code`` is stable, ``problems`` names every field at fault."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    problems: tuple[Problem, ...] = ()


class JobNotebook(Frozen):
    """A job's notebook as JSON (nbformat 4); ``final`` once the job has ended."""

    content: dict[str, JsonValue]
    final: bool
    modified: AwareDatetime


class SavedNotebook(Frozen):
    """Where the notebook is, when it was saved last, and whether the open page saved it now."""

    path: str
    saved_at: AwareDatetime
    saved_by: Literal["lab", "disk"]
