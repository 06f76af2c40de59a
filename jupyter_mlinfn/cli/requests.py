"""From what click read to the models of the house, and from their problems to exit codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.model.errors import InputError, Problem
from jupyter_mlinfn.model.quantities import show_memory

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

_SITE_NAME: Final = "no name has these characters. Letters, digits and _ . @ : + - only"
_FORMS: Final = {
    "queue": _SITE_NAME,
    "charge": _SITE_NAME,
    "notify": "write lab, mail, or an address that begins with https://",
    "secrets": "a name begins with a letter and has letters, digits, _ and - only, 40 at most",
    "gpu_model": "a model has letters, digits, blanks and . _ + - only, 60 at most",
    "platforms": "write a platform as conda does, such as linux-64 or osx-arm64",
    "digest": "a digest has 8 to 64 of 0-9 and a-f; 'mlinfn env history NAME' lists them",
}
"""What a text may be where the model knows only a pattern, by the name of the field."""


def validated(model: type[Model], **values: Any) -> Model:
    """``model(**values)``; raises :class:`InputError` naming every field that cannot be used."""
    try:
        return model(**values)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems = [
            _problem(one["loc"], _said(one["loc"], one["type"], one.get("ctx", {})) or one["msg"])
            for one in found
        ]
        text = problems[0].text if len(problems) == 1 else "Some of what was given cannot be used."
        raise InputError(text, problems=problems) from error


def _problem(place: tuple[int | str, ...], words: str) -> Problem:
    field = ".".join(str(part) for part in place)
    return Problem(code="bad-input", field=field, text=f"{_name(place)}: {words}.")


def _name(place: tuple[int | str, ...]) -> str:
    """The name of a field as people typed it: ``memory`` of ``("resources", "memory")``."""
    return next((part for part in reversed(place) if isinstance(part, str)), "input")


def _said(place: tuple[int | str, ...], kind: str, limits: Mapping[str, Any]) -> str | None:
    """What a field may be, for people; ``None`` where only the model's own words are known."""
    name = _name(place)
    if kind == "string_pattern_mismatch":
        return _FORMS.get(name)
    if kind in ("greater_than_equal", "less_than_equal"):
        least = kind == "greater_than_equal"
        limit = limits["ge" if least else "le"]
        if name in ("memory", "gpu_memory"):
            return f"{show_memory(limit)} is the {'least' if least else 'most'}; write a unit: 8GiB"
        return f"{limit} is the {'least' if least else 'most'}"
    if kind in ("string_too_long", "too_long"):
        unit = " characters" if kind == "string_too_long" else ""
        return f"{limits['max_length']:,}{unit} are the most"
    return "it is empty" if kind in ("string_too_short", "too_short") else None


def exit_code_of(problems: Sequence[Problem]) -> int:
    """The exit code that submitting would have: what the person can correct comes first."""
    return min((_EXIT_CODES.get(problem.code, 2) for problem in problems), default=2)
