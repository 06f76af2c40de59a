"""Which texts of two rows belong together, and which of their lines differ. Pure and symmetric.

difflib's answer depends on which side is named first; here the smaller side always is, so that
``a`` against ``b`` is the mirror of ``b`` against ``a``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

MOST_LINES: Final = 2000
"""Lines of a text that are compared one by one; longer texts are told as different."""

SHOWN_LINES: Final = 400
LONGEST_LINE: Final = 500

_CONTEXT: Final = 3
_MIRRORED: Final = {"insert": "delete", "delete": "insert"}

Block = tuple[str, int, int, int, int]


def blocks(a: Sequence[str], b: Sequence[str]) -> list[Block]:
    """``(tag, a from, a to, b from, b to)``; ``tag`` as difflib's, or ``equal``."""
    if list(b) < list(a):
        found = SequenceMatcher(None, b, a, autojunk=False).get_opcodes()
        return [(_MIRRORED.get(tag, tag), k, m, i, j) for tag, i, j, k, m in found]
    return list(SequenceMatcher(None, a, b, autojunk=False).get_opcodes())


def paired(a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[int | None, int | None]]:
    """Positions in ``a`` and ``b`` that belong together; ``None`` where one side has no partner."""
    for _tag, a_from, a_to, b_from, b_to in blocks(a, b):
        yield from zip_longest(range(a_from, a_to), range(b_from, b_to))


def detail(a: str, b: str) -> tuple[str, ...]:
    """The lines that differ, with a few around them: ``-`` only in a, ``+`` only in b."""
    old, new = a.splitlines(), b.splitlines()
    if max(len(old), len(new)) > MOST_LINES:
        return (f" (too long to show line by line: {len(old)} and {len(new)} lines)",)
    found = list(_lines(old, new))
    if len(found) > SHOWN_LINES:
        found = [*found[:SHOWN_LINES], f" (and {len(found) - SHOWN_LINES} more lines)"]
    return tuple(line[:LONGEST_LINE] for line in found)


def _lines(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    found = blocks(old, new)
    for number, (tag, a_from, a_to, b_from, b_to) in enumerate(found):
        if tag == "equal":
            yield from _around(old[a_from:a_to], number == 0, number == len(found) - 1)
        else:
            yield from (f"-{line}" for line in old[a_from:a_to])
            yield from (f"+{line}" for line in new[b_from:b_to])


def _around(lines: Sequence[str], first: bool, last: bool) -> Iterator[str]:
    """Equal lines, as many as say where the others are."""
    before = [] if first else lines[:_CONTEXT]
    after = [] if last else lines[len(before) :][-_CONTEXT:]
    left_out = len(lines) - len(before) - len(after)
    yield from (f" {line}" for line in before)
    if left_out and not (first or last):
        yield f" … {left_out} equal lines"
    yield from (f" {line}" for line in after)
