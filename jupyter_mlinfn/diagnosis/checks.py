"""What a diagnosis consists of."""

from __future__ import annotations

from typing import Final, Literal

from jupyter_mlinfn.model.jobs import Frozen

NEEDED: Final = frozenset({"python", "data-folder", "job-index", "kernels", "capacity"})
"""Checks without which no job can run; every other part may be missing in peace."""


class Check(Frozen):
    """One thing looked at; ``hint`` says what to do where ``state`` is not ``ok``.

    ``missing`` is a calm word: a part that is not here, and need not be unless it is in
    :data:`NEEDED`.
    """

    name: str
    state: Literal["ok", "missing", "warning"]
    text: str
    hint: str | None = None


class Diagnosis(Frozen):
    """All checks, in the order people read them."""

    checks: tuple[Check, ...]
