"""Numbers of points as batch systems write them: ``0-4,7,10-20:5``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_PART: Final = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})(?::([1-9][0-9]{0,8}))?)?", re.ASCII)
_MOST: Final = 10_000_000


def written(numbers: Iterable[int]) -> str:
    """The shortest list of numbers and ranges that has these numbers, in order."""
    return ",".join(
        f"{first}" if first == last else f"{first}-{last}" for first, last in _runs(numbers)
    )


def read(text: str) -> tuple[int, ...]:
    """The numbers of such a list, in its order. Raises ValueError for what is none."""
    found: list[int] = []
    for part in text.split(","):
        told = _PART.fullmatch(part)
        if told is None:
            raise ValueError(f"{part[:40]!r} is no number and no range")
        first = int(told[1])
        last = int(told[2]) if told[2] is not None else first
        step = int(told[3] or 1)
        if last < first or (last - first) // step + len(found) > _MOST:
            raise ValueError(f"{part[:40]!r} is no range that can be")
        found += range(first, last + 1, step)
    return tuple(found)


def parts(numbers: Iterable[int], most: int, span: int) -> Iterator[tuple[int, ...]]:
    """The numbers in pieces of at most ``most``, none of which reaches over ``span`` or more."""
    piece: list[int] = []
    for number in sorted(set(numbers)):
        if piece and (len(piece) == most or number - piece[0] >= span):
            yield tuple(piece)
            piece = []
        piece.append(number)
    if piece:
        yield tuple(piece)


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for number in sorted(set(numbers)):
        if last is not None and first is not None and number != last + 1:
            yield first, last
            first = number
        first = number if first is None else first
        last = number
    if first is not None and last is not None:
        yield first, last
