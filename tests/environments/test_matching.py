"""Which packages somebody means who has typed a part of a name."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.environments.matching import best_matches

NAMES = [
    "pnumpy",
    "numpydoc",
    "typing_extensions",
    "numpy",
    "py-numpy-tools",
    "pandas",
    "ruamel.yaml",
]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("numpy", ["numpy", "numpydoc", "py-numpy-tools", "pnumpy"]),
        ("NumPy", ["numpy", "numpydoc", "py-numpy-tools", "pnumpy"]),
        ("typing-ext", ["typing_extensions"]),
        ("ruamel-yaml", ["ruamel.yaml"]),
        ("tools numpy", ["py-numpy-tools"]),
        ("zzz", []),
        ("   ", []),
        (".*", []),
    ],
)  # fmt: skip
def test_the_best_come_first(typed: str, expected: list[str]) -> None:
    assert best_matches(typed, NAMES, 10) == expected


def test_no_more_than_asked_for() -> None:
    assert best_matches("p", NAMES, 2) == ["pandas", "pnumpy"]
