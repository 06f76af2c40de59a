"""Foreign names and values as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

LONGEST = 60
"""Characters of a foreign value that are shown."""
MOST_LISTED = 20


def listed(names: Iterable[str]) -> str:
    """``a, b, c``; with a count of the rest where there are very many."""
    known = list(names)
    rest = len(known) - MOST_LISTED
    return ", ".join(known[:MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def shown(value: object) -> str:
    """A foreign value on one line, cut short, without characters a terminal would obey."""
    if isinstance(value, str):
        return f"'{ascii(value[:LONGEST])[1:-1]}'"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**20):
        return str(value)
    if isinstance(value, int):
        return "a very large number"
    return "an object" if isinstance(value, Mapping) else "a list"


def show_size(amount: int) -> str:
    """Bytes exactly, in the largest unit that divides them: ``16GiB``, ``1536MiB``."""
    for unit in ("PiB", "TiB", "GiB", "MiB", "KiB"):
        factor = 1024 ** ("KMGTP".index(unit[0]) + 1)
        if amount % factor == 0:
            return f"{amount // factor}{unit}"
    return f"{amount}B"
