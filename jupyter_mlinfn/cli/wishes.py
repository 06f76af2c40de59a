"""What was asked of a job beside its run, as rows for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import JobSpec


def wish_rows(spec: JobSpec, fates: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Only what was asked; ``fates`` says what became of each notice."""
    if spec.after:
        yield "After", ", ".join(spec.after)
    if spec.after_ok:
        yield "After success", ", ".join(spec.after_ok)
    if spec.secrets:
        yield "Secrets", ", ".join(spec.secrets)
    for target, fate in fates:
        yield "Notice", f"{target}: {fate}"
