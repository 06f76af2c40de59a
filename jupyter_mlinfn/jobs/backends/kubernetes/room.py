"""What Kueue offers here and now: queues, their quotas, what is free in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Final

from jupyter_mlinfn.jobs.backends import shapes
from jupyter_mlinfn.jobs.backends.kubernetes.parsing import Amount, LocalQueue
from jupyter_mlinfn.jobs.backends.limits import WIDEST, too_much
from jupyter_mlinfn.jobs.backends.shapes import Shape
from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import Forecast, Resources
from jupyter_mlinfn.model.offer import GpuShape, Queue, Room
from jupyter_mlinfn.model.quantities import MAX_DURATION, show_count

GPU: Final = "nvidia.com/gpu"

_DEVICES: Final = ("nvidia.com/", "amd.com/gpu", "gpu.intel.com/")


def default_queue(queues: Sequence[LocalQueue], site: Mapping[str, str]) -> str | None:
    """Where jobs go that name no queue: the setting's, Kueue's own default, the only one."""
    if site.get("queue"):
        return site["queue"]
    names = [one.name for one in queues]
    if "default" in names or len(names) == 1:
        return "default" if "default" in names else names[0]
    return None


def offered(
    queues: Sequence[LocalQueue], default: str | None, sizes: Mapping[str, int]
) -> tuple[Queue, ...]:
    """The queues for people, the default one first."""
    ordered = sorted(queues, key=lambda one: (one.name != default, one.name))
    return tuple(_queue(one, default, sizes) for one in ordered)


def limits(queues: Sequence[LocalQueue]) -> Resources:
    """The most one job can ask for in any of them; all there can be where nobody tells."""
    if not queues or any(one.amounts is None for one in queues):
        return WIDEST
    found = [_most(one.amounts or {}) for one in queues]
    return Resources(
        cpus=max(1, *(one.cpus for one in found)),
        memory=max(2**20, *(one.memory for one in found)),
        gpus=max(one.gpus for one in found),
        time=MAX_DURATION,
    )


def problems(
    queues: Sequence[LocalQueue],
    asked: Resources,
    queue: str | None,
    sizes: Mapping[str, int],
) -> list[Problem]:
    """Why a job could never run in ``queue``; ``sizes``: bytes of GPUs by the owner's word."""
    names = ", ".join(sorted(one.name for one in queues)) or "none"
    if queue is None:
        text = f"Kueue has no queue of its own choice here. Choose one: {names}."
        return [Problem(code="queue-needed", text=text, field="queue")]
    here = next((one for one in queues if one.name == queue), None)
    if here is None:
        text = f"Kubernetes has no queue {queue!r} here. There are: {names}."
        return [Problem(code="unknown-queue", text=text, field="queue")]
    if here.amounts is None:
        return []
    where = f"in the queue {queue}"
    most = _most(here.amounts)
    found = too_much(asked, most, f"{where} of Kubernetes")
    return found or shapes.problems(_shapes(here.amounts, sizes), asked, where)


def gpu(
    here: LocalQueue | None, asked: Resources, site: Mapping[str, str], sizes: Mapping[str, int]
) -> str:
    """The resource that such GPUs are called in the cluster."""
    usual = site.get("gpu_resource", GPU)
    amounts = here.amounts if here else None
    plain = asked.gpu_memory is None and asked.gpu_model is None
    if amounts is None or (plain and usual in amounts):
        return usual
    found = shapes.smallest(_shapes(amounts, sizes), asked)
    return next((name for name in amounts if found and name.endswith("/" + found.name)), usual)


def forecast(here: LocalQueue | None, asked: Resources, resource: str) -> Forecast:
    """Whether such a job would find quota now."""
    if here is None:
        return Forecast(starts_now=False, text="Kubernetes starts it when it finds room.")
    where = f"in the queue {here.name} of Kubernetes"
    if here.closed:
        return Forecast(starts_now=False, text=f"Would wait {where}: it takes no jobs for now.")
    if here.amounts is None:
        text = f"Waits {where} for its turn; what is free there you may not see."
        return Forecast(starts_now=False, text=text, position=here.waiting)
    wanted = {"cpu": asked.cpus, "memory": asked.memory}
    if asked.gpus:
        wanted[resource] = asked.gpus
    if all(_free(here.amounts.get(name)) >= much for name, much in wanted.items()):
        text = f"There is room {where} now; Kueue decides whose turn it is."
        return Forecast(starts_now=True, text=text, position=here.waiting)
    lacking = [name for name, much in wanted.items() if _free(here.amounts.get(name)) < much]
    text = f"Would wait {where}: not enough {' and '.join(lacking)} is free now."
    if here.waiting:
        text += f" {show_count(here.waiting, 'job')} of this namespace wait there already."
    return Forecast(starts_now=False, text=text, position=here.waiting)


def _queue(one: LocalQueue, default: str | None, sizes: Mapping[str, int]) -> Queue:
    text = f"Closed for now: {one.closed}" if one.closed else ""
    if one.amounts is None:
        return Queue(name=one.name, default=one.name == default, text=text)
    devices = {name: amount for name, amount in one.amounts.items() if _is_device(name)}
    return Queue(
        name=one.name,
        default=one.name == default,
        cpus=floor(_quota(one.amounts, "cpu")),
        memory=floor(_quota(one.amounts, "memory")),
        gpus=sum(floor(amount.quota) for amount in devices.values()),
        gpu_models=tuple(sorted(name.split("/")[1] for name in devices)),
        gpu_shapes=tuple(
            GpuShape(
                name=name.split("/")[1],
                memory=_size(name, sizes),
                total=floor(amount.quota),
                free=floor(_free(amount)),
            )
            for name, amount in sorted(devices.items())
        ),
        free=Room(
            cpus=floor(_free(one.amounts.get("cpu"))),
            memory=floor(_free(one.amounts.get("memory"))),
            gpus=sum(floor(_free(amount)) for amount in devices.values()),
        ),
        text=text or _borrowed(one.amounts),
    )


def _borrowed(amounts: Mapping[str, Amount]) -> str:
    """What of other queues' quota is in use here; empty: nothing."""
    cpus = ceil(amounts["cpu"].borrowed) if "cpu" in amounts else 0
    gpus = sum(ceil(amount.borrowed) for name, amount in amounts.items() if _is_device(name))
    told = [show_count(cpus, "CPU")] if cpus else []
    told += [show_count(gpus, "GPU")] if gpus else []
    return f"Its jobs use {' and '.join(told)} of other queues now." if told else ""


def _most(amounts: Mapping[str, Amount]) -> Resources:
    def most(name: str, ceiling: int) -> int:
        amount = amounts.get(name)
        if amount is None:
            return 0
        return ceiling if amount.more is None else min(ceiling, floor(amount.quota + amount.more))

    return Resources(
        cpus=max(1, most("cpu", WIDEST.cpus)),
        memory=max(2**20, most("memory", WIDEST.memory)),
        gpus=max((most(name, WIDEST.gpus) for name in amounts if _is_device(name)), default=0),
        time=MAX_DURATION,
    )


def _shapes(amounts: Mapping[str, Amount], sizes: Mapping[str, int]) -> list[Shape]:
    found = []
    for name, amount in amounts.items():
        if _is_device(name):
            short = name.split("/")[1]
            most = WIDEST.gpus if amount.more is None else floor(amount.quota + amount.more)
            found.append(Shape(name=short, memory=_size(name, sizes), count=most))
    return found


def _size(name: str, sizes: Mapping[str, int]) -> int | None:
    return sizes.get(name) or shapes.memory_of(name.split("/")[1], sizes)


def _is_device(name: str) -> bool:
    return name.startswith(_DEVICES)


def _quota(amounts: Mapping[str, Amount], name: str) -> Fraction:
    amount = amounts.get(name)
    return amount.quota if amount else Fraction(0)


def _free(amount: Amount | None) -> Fraction:
    return max(Fraction(0), amount.quota - amount.used) if amount else Fraction(0)
