"""One measured figure, beside what was asked and what a named peer reaches in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """``value`` in ``unit``; ``asked`` is the most that is allowed (``None``: only reported)."""

    name: str
    value: float
    unit: str
    asked: float | None = None
    peer: str | None = None
    peer_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times more the peer needs; above 1 is better than the peer."""
        if self.peer_value is None or self.value <= 0:
            return None
        return self.peer_value / self.value


def quantile(values: Sequence[float], share: float) -> float:
    """The ``share`` quantile (0.5 median, 0.95 …) of at least one value, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def table(figures: Sequence[Figure]) -> str:
    """The figures for people, one a line."""
    head = ("figure", "measured", "asked", "peer", "ratio")
    rows = [head]
    for figure in figures:
        asked = "" if figure.asked is None else f"≤ {figure.asked:g} {figure.unit}"
        peer = (
            ""
            if figure.peer_value is None
            else f"{figure.peer}: {figure.peer_value:.3g} {figure.unit}"
        )
        ratio = "" if figure.ratio is None else f"×{figure.ratio:.2g}"
        verdict = (
            "" if figure.asked is None else (" ok" if figure.value <= figure.asked else " MISSED")
        )
        rows.append((figure.name, f"{figure.value:.3g} {figure.unit}{verdict}", asked, peer, ratio))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)
