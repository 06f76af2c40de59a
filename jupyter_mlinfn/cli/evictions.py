"""Evictions, checkpoints and what a job uses now, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_mlinfn.model.quantities import show_duration, show_memory

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import Attempt, JobDetails
    from jupyter_mlinfn.model.using import Using


def eviction_rows(details: JobDetails) -> Iterator[tuple[str, str]]:
    """How often it gave way, how old its newest checkpoint is, what was lost in all."""
    from jupyter_mlinfn.cli.records import ago, clock

    record = details.job
    lost = [one.lost_seconds for one in details.attempts if one.lost_seconds is not None]
    if record.evictions:
        times = "once" if record.evictions == 1 else f"{record.evictions} times"
        text = f"{times}; {show_duration(sum(lost))} of work lost" if lost else times
        yield "Evicted", text
    if record.checkpoint_at:
        yield "Checkpoint", f"{ago(record.checkpoint_at)} ({clock(record.checkpoint_at)})"
    if record.state == "failed" and record.checkpoint_at:
        yield "Continue", f"mlinfn job rerun --continue {record.id}"
    if record.progress and record.progress.using:
        yield "Uses now", using_words(record.progress.using)


def lost_words(attempt: Attempt) -> str:
    """``, lost 12 s``; empty where nothing was, or nobody knows."""
    return f", lost {show_duration(attempt.lost_seconds)}" if attempt.lost_seconds else ""


def using_words(using: Using) -> str:
    """``1.5 CPUs, 3.0 GiB memory, GPU 61 % busy``, as far as it is known."""
    words = []
    if using.cpus is not None:
        words.append(f"{using.cpus:.1f} CPUs")
    if using.memory is not None:
        words.append(f"{show_memory(using.memory)} memory")
    if using.gpus_busy is not None:
        words.append(f"GPU {using.gpus_busy:.0f} % busy")
    return ", ".join(words)
