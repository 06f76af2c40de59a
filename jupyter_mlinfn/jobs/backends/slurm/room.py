"""What Slurm offers here and now: queues, what fits into them, what is free. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jupyter_mlinfn.jobs.backends.slurm.parsing import Group
from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import Forecast, Resources
from jupyter_mlinfn.model.offer import Queue, Room
from jupyter_mlinfn.model.quantities import MAX_DURATION, show_duration, show_memory

_OPEN = ("idle", "mix", "alloc")
"""States of nodes that take jobs; ``alloc`` may free up, all others are out of service."""


def queues(groups: Sequence[Group]) -> tuple[Queue, ...]:
    """The partitions with their totals, the default one first, then as Slurm lists them."""
    names = sorted(
        dict.fromkeys(group.partition for group in groups),
        key=lambda name: not any(g.default for g in groups if g.partition == name),
    )
    return tuple(_queue([g for g in groups if g.partition == name]) for name in names)


def limits(groups: Sequence[Group]) -> Resources:
    """The most one job, which has one machine, can ask for."""
    longest = [group.time_limit or MAX_DURATION for group in groups]
    return Resources(
        cpus=_within(max((g.cpus for g in groups), default=1), 1, 4096),
        memory=max(max((g.memory for g in groups), default=0), 2**20),
        gpus=_within(max((g.gpus for g in groups), default=0), 0, 64),
        time=min(MAX_DURATION, max(longest, default=MAX_DURATION)),
    )


def problems(groups: Sequence[Group], resources: Resources, queue: str | None) -> list[Problem]:
    """Why a job could never run in ``queue`` (``None``: the default one)."""
    if not groups:
        return []
    known = [one.name for one in queues(groups)]
    if queue is None and not any(group.default for group in groups):
        text = f"Slurm has no queue of its own choice here. Choose one: {', '.join(known)}."
        return [Problem(code="queue-needed", text=text, field="queue")]
    if queue is not None and queue not in known:
        text = f"Slurm has no queue {queue!r}. There are: {', '.join(known)}."
        return [Problem(code="unknown-queue", text=text, field="queue")]
    here = _of(groups, queue)
    most, where = limits(here), here[0].partition
    asked = (
        ("cpus", resources.cpus > most.cpus, f"{most.cpus} CPUs, not {resources.cpus}"),
        (
            "memory",
            resources.memory > most.memory,
            f"{show_memory(most.memory)} of memory, not {show_memory(resources.memory)}",
        ),
        ("gpus", resources.gpus > most.gpus, f"{most.gpus} GPUs, not {resources.gpus}"),
        (
            "time",
            resources.time > most.time,
            f"{show_duration(most.time)}, not {show_duration(resources.time)}",
        ),
    )
    found = [
        Problem(
            code="asks-too-much",
            text=f"A job in the queue {where} of Slurm may have {text}.",
            field=f"resources.{name}",
        )
        for name, too_much, text in asked
        if too_much
    ]
    if not found and not any(_could(group, resources) for group in here):
        text = f"No single machine of the queue {where} has all that this job asks for."
        found.append(Problem(code="asks-too-much", text=text, field="resources"))
    return found


def forecast(groups: Sequence[Group], resources: Resources, queue: str | None) -> Forecast:
    """Whether such a job would find room now."""
    here = _of(groups, queue)
    where = f"in the queue {here[0].partition} of Slurm" if here else "in Slurm"
    if here and not any(group.available for group in here):
        return Forecast(starts_now=False, text=f"Would wait {where}: it is closed for now.")
    if any(_fits(group, resources) for group in here):
        return Forecast(
            starts_now=True, text=f"There is room {where} now; Slurm decides whose turn it is."
        )
    text = f"Would wait {where}: no machine has enough free now."
    return Forecast(starts_now=False, text=text)


def time_limit(groups: Sequence[Group], queue: str | None) -> int | None:
    """The queue's limit in seconds; ``None``: none, or none is known."""
    here = _of(groups, queue)
    return here[0].time_limit if here else None


def _of(groups: Iterable[Group], queue: str | None) -> list[Group]:
    return [g for g in groups if (g.default if queue is None else g.partition == queue)]


def _queue(here: Sequence[Group]) -> Queue:
    taking = [group for group in here if group.available and group.state.startswith(_OPEN)]
    return Queue(
        name=here[0].partition,
        default=here[0].default,
        time_limit=here[0].time_limit,
        cpus=sum(group.cpus * group.nodes for group in here),
        memory=sum(group.memory * group.nodes for group in here),
        gpus=sum(group.gpus * group.nodes for group in here),
        gpu_models=tuple(sorted({model for group in here for model in group.gpu_models})),
        free=Room(
            cpus=sum(group.cpus_idle for group in taking),
            memory=sum(max(0, g.memory - g.memory_allocated) * g.nodes for g in taking),
            gpus=sum(max(0, g.gpus - g.gpus_used) * g.nodes for g in taking),
        ),
        text="" if any(group.available for group in here) else "Closed for now.",
    )


def _could(group: Group, asked: Resources) -> bool:
    return group.cpus >= asked.cpus and group.memory >= asked.memory and group.gpus >= asked.gpus


def _fits(group: Group, asked: Resources) -> bool:
    return (
        group.available
        and group.state.startswith(_OPEN)
        and -(-group.cpus_idle // group.nodes) >= asked.cpus
        and group.memory - group.memory_allocated >= asked.memory
        and group.gpus - group.gpus_used >= asked.gpus
    )


def _within(value: int, least: int, most: int) -> int:
    return max(least, min(most, value))
