"""From what click read to the models of the house, and from their problems to exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.model.errors import InputError, Problem

Model = TypeVar("Model", bound=BaseModel)

_EXIT_CODES = {
    "environment-missing": 3,
    "backend-missing": 3,
    "part-missing": 3,
    "unavailable": 3,
    "refused": 4,
    "asks-too-much": 4,
    "asks-too-little": 4,
    "environment-mismatch": 4,
    "gpu-memory-unknown": 4,
    "place-silent": 4,
    "refused-by-system": 4,
    "not-visible": 3,
    "environment-not-packed": 3,
}


def validated(model: type[Model], **values: Any) -> Model:
    """``model(**values)``; raises :class:`InputError` naming every field that cannot be used."""
    try:
        return model(**values)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems = [_problem(one["loc"], one["type"], one["msg"]) for one in found]
        text = problems[0].text if len(problems) == 1 else "Some of what was given cannot be used."
        raise InputError(text, problems=problems) from error


def _problem(place: tuple[int | str, ...], kind: str, message: str) -> Problem:
    field = ".".join(str(part) for part in place)
    if kind == "string_pattern_mismatch" and field in ("queue", "charge"):
        message = "no name has these characters. Letters, digits and _ . @ : + - only"
    return Problem(code="bad-input", field=field, text=f"{field}: {message}.")


def exit_code_of(problems: Sequence[Problem]) -> int:
    """The exit code that submitting would have: what the person can correct comes first."""
    return min((_EXIT_CODES.get(problem.code, 2) for problem in problems), default=2)
