"""What Slurm offers here and now: queues, what fits into them, what is free. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from jupyter_mlinfn.jobs.backends import shapes
from jupyter_mlinfn.jobs.backends.limits import too_much
from jupyter_mlinfn.jobs.backends.slurm.parsing import Group
from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import Forecast, Resources
from jupyter_mlinfn.model.offer import GpuShape, Queue, Room
from jupyter_mlinfn.model.quantities import MAX_DURATION, show_count, show_moment

_AT_ONCE: Final = timedelta(minutes=1)
_NO_TIME: Final = timedelta(days=300)
"""Slurm says "in a year" of what it cannot foresee."""

_OPEN = ("idle", "mix", "alloc")
"""States of nodes that take jobs; ``alloc`` may free up, all others are out of service."""


def queues(
    groups: Sequence[Group], usual: str | None = None, told: Mapping[str, int] | None = None
) -> tuple[Queue, ...]:
    """The partitions with their totals, the default one first, then as Slurm lists them.

    ``usual`` is the site's own default (setting ``slurm_options``), which counts before Slurm's.
    """
    names = list(dict.fromkeys(group.partition for group in groups))
    default = usual if usual in names else next((g.partition for g in groups if g.default), None)
    names.sort(key=lambda name: name != default)
    return tuple(
        _queue([g for g in groups if g.partition == name], told or {}, default=name == default)
        for name in names
    )


def limits(groups: Sequence[Group]) -> Resources:
    """The most one job, which has one machine, can ask for."""
    longest = [group.time_limit or MAX_DURATION for group in groups]
    return Resources(
        cpus=_within(max((g.cpus for g in groups), default=1), 1, 4096),
        memory=max(max((g.memory for g in groups), default=0), 2**20),
        gpus=_within(max((g.gpus for g in groups), default=0), 0, 64),
        time=min(MAX_DURATION, max(longest, default=MAX_DURATION)),
    )


def kinds(
    groups: Sequence[Group], queue: str | None, told: Mapping[str, int]
) -> list[shapes.Shape]:
    """The types of GPUs in ``queue``; ``told`` is the owner's word on their memory."""
    most: dict[str, int] = {}
    for group in _of(groups, queue):
        for name, (count, _used) in group.gpu_types.items():
            most[name] = max(count, most.get(name, 0))
    return [shapes.Shape(name, shapes.memory_of(name, told), n) for name, n in most.items()]


def kind(
    groups: Sequence[Group], asked: Resources, queue: str | None, told: Mapping[str, int]
) -> str | None:
    """The type of GPU for a job that asks for memory or a model: the smallest that is enough;
    ``None``: any will do, or none is enough."""
    if not asked.gpus or (asked.gpu_memory is None and asked.gpu_model is None):
        return None
    found = shapes.smallest(kinds(groups, queue, told), asked)
    return found.name if found else None


def problems(
    groups: Sequence[Group],
    resources: Resources,
    queue: str | None,
    told: Mapping[str, int] | None = None,
) -> list[Problem]:
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
    found = too_much(resources, most, f"in the queue {where} of Slurm")
    if not found:
        found = shapes.problems(
            kinds(groups, queue, told or {}), resources, f"in the queue {where} of Slurm"
        )
    chosen = kind(groups, resources, queue, told or {})
    if not found and not any(_could(group, resources, chosen) for group in here):
        text = f"No single machine of the queue {where} has all that this job asks for."
        found.append(Problem(code="asks-too-much", text=text, field="resources"))
    return found


def forecast(
    groups: Sequence[Group], resources: Resources, queue: str | None, kind: str | None = None
) -> Forecast:
    """Whether such a job would find room now; ``kind``: the type of GPU it would ask for."""
    here = _of(groups, queue)
    where = f"in the queue {here[0].partition} of Slurm" if here else "in Slurm"
    if here and not any(group.available for group in here):
        return Forecast(starts_now=False, text=f"Would wait {where}: it is closed for now.")
    if any(_fits(group, resources, kind) for group in here):
        return Forecast(
            starts_now=True, text=f"There is room {where} now; Slurm decides whose turn it is."
        )
    text = f"Would wait {where}: no machine has enough free now."
    return Forecast(starts_now=False, text=text)


def expected(
    said: Forecast, start: datetime | None, before: int | None, where: str, now: datetime
) -> Forecast:
    """``said`` with Slurm's own word on when such a job would start, and how many wait there.

    Slurm knows priorities, limits and which jobs make room; free room alone is no promise.
    """
    if start is None or start - now > _NO_TIME:
        return said.model_copy(update={"position": before})
    if start - now <= _AT_ONCE:
        text = said.text if said.starts_now else f"Slurm would start it now in {where}."
        return Forecast(starts_now=True, text=text, expected_start=start, position=before)
    text = f"Would wait in {where}." if said.starts_now else said.text
    text += f" Slurm expects to start it about {show_moment(start, now)}"
    if before:
        text += f"; {show_count(before, 'job')} wait{'s' * (before == 1)} there now"
    return Forecast(starts_now=False, text=f"{text}.", expected_start=start, position=before)


def time_limit(groups: Sequence[Group], queue: str | None) -> int | None:
    """The queue's limit in seconds; ``None``: none, or none is known."""
    here = _of(groups, queue)
    return here[0].time_limit if here else None


def _of(groups: Iterable[Group], queue: str | None) -> list[Group]:
    return [g for g in groups if (g.default if queue is None else g.partition == queue)]


def _shapes(
    here: Sequence[Group], taking: Sequence[Group], told: Mapping[str, int]
) -> tuple[GpuShape, ...]:
    """The types of GPUs in all machines together, smallest first."""
    total, free = Counter[str](), Counter[str]()
    for group in here:
        for name, (count, used) in group.gpu_types.items():
            total[name] += count * group.nodes
            free[name] += max(0, count - used) * group.nodes * (group in taking)
    found = (
        GpuShape(name=name, memory=shapes.memory_of(name, told), total=total[name], free=free[name])
        for name in total
    )
    return tuple(sorted(found, key=lambda one: (one.memory or 0, one.name)))


def _queue(here: Sequence[Group], told: Mapping[str, int], *, default: bool) -> Queue:
    taking = [group for group in here if group.available and group.state.startswith(_OPEN)]
    return Queue(
        name=here[0].partition,
        default=default,
        time_limit=here[0].time_limit,
        cpus=sum(group.cpus * group.nodes for group in here),
        memory=sum(group.memory * group.nodes for group in here),
        gpus=sum(group.gpus * group.nodes for group in here),
        gpu_models=tuple(sorted({model for group in here for model in group.gpu_models})),
        gpu_shapes=_shapes(here, taking, told),
        free=Room(
            cpus=sum(group.cpus_idle for group in taking),
            memory=sum(max(0, g.memory - g.memory_allocated) * g.nodes for g in taking),
            gpus=sum(max(0, g.gpus - g.gpus_used) * g.nodes for g in taking),
        ),
        text="" if any(group.available for group in here) else "Closed for now.",
    )


def _could(group: Group, asked: Resources, kind: str | None) -> bool:
    gpus, _used = _gpus(group, kind)
    return group.cpus >= asked.cpus and group.memory >= asked.memory and gpus >= asked.gpus


def _gpus(group: Group, kind: str | None) -> tuple[int, int]:
    """How many GPUs a node has, of this type if one is named, and how many of them are used."""
    return (group.gpus, group.gpus_used) if kind is None else group.gpu_types.get(kind, (0, 0))


def _fits(group: Group, asked: Resources, kind: str | None) -> bool:
    gpus, used = _gpus(group, kind)
    return (
        group.available
        and group.state.startswith(_OPEN)
        and -(-group.cpus_idle // group.nodes) >= asked.cpus
        and group.memory - group.memory_allocated >= asked.memory
        and gpus - used >= asked.gpus
    )


def _within(value: int, least: int, most: int) -> int:
    return max(least, min(most, value))
