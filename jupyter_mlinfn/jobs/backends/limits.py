"""What one job may ask for at most, and what is said of one that asks for more."""

from __future__ import annotations

from typing import Final

from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import Resources
from jupyter_mlinfn.model.quantities import (
    MAX_DURATION,
    MAX_MEMORY,
    show_duration,
    show_memory,
)

WIDEST: Final = Resources(cpus=4096, memory=MAX_MEMORY, gpus=64, time=MAX_DURATION)
"""All there can be, where a system does not tell."""


def too_much(asked: Resources, most: Resources, where: str) -> list[Problem]:
    """A problem for each thing of which ``asked`` is more than ``most``; ``where`` in words."""
    told = (
        ("cpus", f"{most.cpus} CPUs, not {asked.cpus}"),
        ("memory", f"{show_memory(most.memory)} of memory, not {show_memory(asked.memory)}"),
        ("gpus", f"{most.gpus} GPUs, not {asked.gpus}"),
        ("time", f"{show_duration(most.time)}, not {show_duration(asked.time)}"),
    )
    return [
        Problem(
            code="asks-too-much",
            text=f"A job {where} may have {text}.",
            field=f"resources.{name}",
        )
        for name, text in told
        if getattr(asked, name) > getattr(most, name)
    ]
