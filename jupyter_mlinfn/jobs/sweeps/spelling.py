"""What is typed of an axis, spelled out into values: lists, ranges, and both mixed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Context, Decimal, InvalidOperation
from typing import Final

from pydantic import JsonValue

from jupyter_mlinfn.jobs.parameters import checked, coerce
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import Parameter
from jupyter_mlinfn.model.sweeps import MAX_POINTS

_NUMBER: Final = r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?"
_RANGE: Final = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}))?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_EXACT: Final = Context(prec=800)
_COUNTABLE: Final = 10**12
_OPEN: Final = {"[": "]", "{": "}", "(": ")"}
_NO_RANGES: Final = ("str", "bool", "list", "dict")
"""Kinds of defaults for which ``0..9`` is no range of numbers but a text like any other."""


def values_of(name: str, text: str, parameter: Parameter | None) -> list[JsonValue]:
    """The values of one axis, in the type of the notebook's default.

    Raises :class:`InputError` (``bad-sweep``) that says which value cannot be used and why.
    """
    kind = "none" if parameter is None else parameter.kind
    found: list[JsonValue] = []
    for position, word in enumerate(split(name, text), 1):
        ranged = None if kind in _NO_RANGES else _RANGE.fullmatch(word)
        if ranged:
            found += _all_typed(name, _range(name, word, *ranged.groups()), parameter)
        else:
            found.append(_typed(name, position, word, parameter))
        if len(found) > MAX_POINTS:
            raise _bad(name, f"{name} has more than {MAX_POINTS:,} values.")
    return found


def split(name: str, text: str) -> list[str]:
    """The words between the commas outside of brackets and quotes; quotes around one go away.

    Raises :class:`InputError` for an empty word and for a bracket or quote that stays open.
    """
    words = [word.strip() for word in _words(name, text)]
    for position, word in enumerate(words, 1):
        if not word:
            hint = 'Write "" for an empty text.' if len(words) > 1 else "Write NAME=V1,V2,…"
            raise _bad(name, f"Value {position} of {name} is empty. {hint}")
    return [_unquoted(word) for word in words]


def _words(name: str, text: str) -> Iterator[str]:
    awaited: list[str] = []
    begin = 0
    for at, char in enumerate(text):
        quoted = bool(awaited) and awaited[-1] in "\"'"
        if awaited and char == awaited[-1]:
            awaited.pop()
        elif quoted:
            continue
        elif char in _OPEN:
            awaited.append(_OPEN[char])
        elif char in "\"'" and (awaited or not text[begin:at].strip()):
            # inside a word an apostrophe is a letter like any other
            awaited.append(char)
        elif char == "," and not awaited:
            yield text[begin:at]
            begin = at + 1
    if awaited:
        raise _bad(name, f"The values of {name} open a quote or bracket and do not close it.")
    yield text[begin:]


def _unquoted(word: str) -> str:
    whole = len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" and word[0] not in word[1:-1]
    return word[1:-1] if whole else word


def _typed(name: str, position: int, word: str, parameter: Parameter | None) -> JsonValue:
    try:
        return coerce(word, parameter, name=name)
    except InputError as error:
        raise _bad(name, f"Value {position} of {name}: {error.text}") from error


def _all_typed(
    name: str, values: Iterator[JsonValue], parameter: Parameter | None
) -> list[JsonValue]:
    try:
        return [checked(value, parameter) for value in values]
    except InputError as error:
        if error.code == "bad-sweep":
            raise
        raise _bad(name, error.text) from error


def _range(name: str, word: str, first: str, last: str, step: str | None) -> Iterator[JsonValue]:
    """The numbers of ``first..last:step``, the last one included when it is met exactly."""
    try:
        begin, end = Decimal(first), Decimal(last)
        by = Decimal(step) if step else Decimal(1 if end >= begin else -1)
        if not by or (end - begin) * by < 0:
            raise _bad(name, f"{word} of {name} never comes to its end: look at the step.")
        steps = int(_EXACT.divide_int(end - begin, by))
    except InvalidOperation as error:
        raise _bad(name, f"{word} of {name} has too many values.") from error
    if steps >= MAX_POINTS:
        many = f"{steps + 1:,}" if steps < _COUNTABLE else "too many"
        raise _bad(name, f"{word} of {name} has {many} values; {MAX_POINTS:,} are the most.")
    if all(_WHOLE.fullmatch(part) for part in (first, last, step or "1")):
        start, stride = int(begin), int(by)
        yield from range(start, start + stride * (steps + 1), stride)
        return
    for number in range(steps + 1):
        yield float(_EXACT.add(begin, _EXACT.multiply(by, Decimal(number))))


def _bad(name: str, text: str) -> InputError:
    return InputError(text, code="bad-sweep", field=f"sweep.raw_axes.{name}")
