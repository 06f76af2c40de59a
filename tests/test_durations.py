"""Durations as people read them in a terminal and in messages."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.model.quantities import show_duration


# the same table as in src/components/__tests__/quantities.spec.ts
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "less than 0.1 s"),
        (0.5, "0.5 s"),
        (0.999, "0.9 s"),
        (1, "1 s"),
        (2.3, "2.3 s"),
        (2.9999999, "3 s"),
        (3.04, "3 s"),
        (9.97, "9.9 s"),
        (10.9, "10 s"),
        (42, "42 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (5400, "1 h 30 min"),
        (47 * 3600, "47 h"),
        (76 * 3600, "3 d 4 h"),
    ],
)
def test_a_duration_in_words(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text
