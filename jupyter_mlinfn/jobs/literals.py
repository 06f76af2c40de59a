"""JSON values as source text of a language, so that no value can ever be read as code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import JsonValue

from jupyter_mlinfn.model.errors import InputError

ASSIGNMENT: Final = {"python": "{} = {}", "r": "{} <- {}", "julia": "{} = {}"}
"""How a language gives a name a value; the languages whose notebooks can be injected into."""


def assignments(values: Mapping[str, JsonValue], language: str) -> str:
    """The source of a cell that sets ``values``; ``language`` is one of :data:`ASSIGNMENT`.

    Raises :class:`InputError` (``bad-parameter``) for a value the language cannot write.
    """
    language = language.lower()
    pattern, write = ASSIGNMENT[language], _WRITERS[language]
    lines = ["# Parameters"]
    for name, value in values.items():
        try:
            lines.append(pattern.format(name, write(value)))
        except ValueError as error:
            raise InputError(
                f"The value of {name} cannot be written in {language}: {error}.",
                code="bad-parameter",
                field=f"parameters.{name}",
            ) from error
    return "\n".join(lines) + "\n"


def python(value: JsonValue) -> str:
    """Python source: what ``repr`` writes, with NaN and infinity as calls of ``float``."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list):
        return f"[{', '.join(map(python, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {python(item)}' for key, item in value.items())}}}"
    return repr(value)


def r(value: JsonValue) -> str:
    """R source. Whole numbers stay doubles, as R reads them: integers would overflow at 2³¹."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return _quoted(value, _r_escape)
    if isinstance(value, list):
        return f"list({', '.join(map(r, value))})"
    if "" in value:
        raise ValueError("a name in an R list cannot be empty")
    items = (f"{_quoted(key, _r_escape)} = {r(item)}" for key, item in value.items())
    return f"list({', '.join(items)})"


def julia(value: JsonValue) -> str:
    """Julia source; ``$`` would be an interpolation and is escaped."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return _quoted(value, _julia_escape)
    if isinstance(value, list):
        return f"[{', '.join(map(julia, value))}]"
    items = (f"{_quoted(key, _julia_escape)} => {julia(item)}" for key, item in value.items())
    return f"Dict({', '.join(items)})"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return repr(value)


def _quoted(text: str, escape: Callable[[str], str]) -> str:
    return '"' + "".join(map(escape, text)) + '"'


_SHORT: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _r_escape(char: str) -> str:
    if char == "\0":
        raise ValueError("a text in R cannot hold the character NUL")
    return _julia_escape(char) if char != "$" else char


def _julia_escape(char: str) -> str:
    if char == "$":
        return "\\$"
    if "\ud800" <= char <= "\udfff":
        raise ValueError("it holds half a character (a lone surrogate)")
    if char in _SHORT:
        return _SHORT[char]
    return char if char.isprintable() else f"\\U{ord(char):08x}"


_WRITERS: Final[Mapping[str, Callable[[JsonValue], str]]] = {
    "python": python,
    "r": r,
    "julia": julia,
}
