"""Which names somebody means who has typed a part of one."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable


def best_matches(typed: str, names: Iterable[str], limit: int) -> list[str]:
    """The names that match, best first: the name itself, then by beginning, then by part.

    ``_`` and ``-`` are the same, as people mix them up; so are capitals and small letters.
    Several words must all be found.
    """
    words = [_plain(word) for word in typed.split()]
    if not words:
        return []
    matching = (name for name in names if all(word in _plain(name) for word in words))
    return heapq.nsmallest(limit, matching, key=lambda name: _distance(words[0], _plain(name)))


def _distance(word: str, name: str) -> tuple[int, int, str]:
    if name == word:
        rank = 0
    elif name.startswith(word):
        rank = 1
    elif f"-{word}" in name:
        rank = 2
    else:
        rank = 3
    return rank, len(name), name


def _plain(text: str) -> str:
    return re.sub(r"[_.]", "-", text.lower())
