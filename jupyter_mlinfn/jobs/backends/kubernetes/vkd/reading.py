"""What vkd tells of jobs and queues, as far as we need it. Pure.

The objects are Kubernetes' own, with ``name``, ``user`` and ``queue`` beside ``spec`` and
``status``. How much of a status there is differs: conditions and indexes count where they are
told, the numbers of pods where not. What is needed and cannot be read is an error (ValueError).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from jupyter_mlinfn.jobs.backends import shapes
from jupyter_mlinfn.jobs.backends.kubernetes import parsing, states
from jupyter_mlinfn.jobs.backends.kubernetes.parsing import Amount, Condition, LocalQueue
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.jobs import Reason
from jupyter_mlinfn.model.kubernetes import JOB, TOKEN

_NAME: Final = re.compile(
    r"(?:^|.*[_-])mlinfn[_-]([a-z2-7]{10})[_-]([0-9a-f]{12})[_-]([1-9][0-9]{0,3})(?:[_-].*)?$",
    re.ASCII,
)
_GPU: Final = "nvidia.com/gpu"


@dataclass(frozen=True)
class Ours:
    """What a name tells: our job, its token's digest, and how often it was handed over."""

    job: str
    digest: str
    number: int


def digest(token: str) -> str:
    """What of a token is in a name: others see names."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def name(ours: Ours) -> str:
    """The name that is asked for. vkd puts the person's before it, and a few letters behind."""
    return f"mlinfn-{ours.job}-{ours.digest}-{ours.number}"


def ours(name: str) -> Ours | None:
    """What a name tells; ``None`` for one that is not ours."""
    found = _NAME.fullmatch(name)
    return Ours(found[1], found[2], int(found[3])) if found else None


class _Status(BaseModel):
    """``status`` of a Job, less what is read elsewhere."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    active: int | None = 0
    succeeded: int | None = 0
    failed: int | None = 0


class VkdJob(BaseModel):
    """One of our jobs. ``active``, ``succeeded`` and ``failed`` are numbers of pods."""

    model_config = ConfigDict(frozen=True)

    name: str
    ours: Ours
    queue: str
    total: int
    active: int
    succeeded: int
    failed: int
    job: parsing.KubernetesJob

    @property
    def over(self) -> bool:
        """Whether vkd is done with it."""
        return self.job.over is not None


def jobs(told: Any) -> list[VkdJob]:
    """Those that are ours. Raises ValueError for what cannot be read."""
    found = [(item, ours(_text(item, "name"))) for item in _list(told)]
    return [_job(item, mine) for item, mine in found if mine is not None]


def made(told: Any) -> str:
    """The name that vkd gave to the job it made. Raises ValueError."""
    (given,) = _NAMES.validate_python(told)
    return given.replace("_", "-")


def word(one: VkdJob) -> Word:
    """What vkd says of a job."""
    if one.over:
        return states.over(one.job, None)
    if one.job.suspended or not one.active:
        text = f"Waits in vkd's queue {one.queue or 'of its own'} until enough of it is free."
        waits = Reason(code="waits-in-queue", text=text)
        return Word(id=one.name, phase="waits", waits=waits)
    return Word(id=one.name, phase="runs")


def elements(one: VkdJob, array: Array) -> list[Element]:
    """What vkd says of the points of ``array``. Raises ValueError.

    Of pods only the number is told. Kubernetes begins with the lowest indexes.
    """
    numbers = array.numbers()
    found: list[Element] = []
    done = ranges.read(one.job.completed) if one.job.completed else ()
    failed = ranges.read(one.job.failed) if one.job.failed else ()

    def add(positions: tuple[int, ...], state: str, said: Word) -> None:
        indexes = [numbers[at] - array.offset for at in positions if at < len(numbers)]
        if indexes:
            found.append(Element(array.id or "", indexes, state, said.phase, partial(_same, said)))

    add(done, "completed", states.over(one.job, None))
    add(failed, "failed", states.over(one.job, None))
    ended = {*done, *failed}
    rest = tuple(at for at in range(len(numbers)) if at not in ended)
    said = word(one)
    if said.phase != "runs":
        add(rest, said.phase, said)
        return found
    begun = max(0, one.active + one.succeeded + one.failed - len(ended))
    add(rest[:begun], "runs", said)
    text = "Waits for other points of its sweep."
    waits = Word(one.name, "waits", Reason(code="waits-in-queue", text=text))
    add(rest[begun:], "waits", waits)
    return found


def queues(told: Any, sizes: Mapping[str, int]) -> tuple[LocalQueue, ...]:
    """The cluster queues; GPUs by flavour where a flavour's name tells their size. Raises
    ValueError."""
    return tuple(_queue(item, sizes) for item in _list(told))


def said(told: Any) -> str:
    """The end of what a job's pods said, in one line. Raises ValueError."""
    by_pod = _LOGS.validate_python(told)
    lines = [line for text in by_pod.values() for line in text.splitlines() if line.strip()]
    return " ".join(lines[-1].split())[:300] if lines else ""


_NAMES: Final = TypeAdapter(list[str])
_LOGS: Final = TypeAdapter(dict[str, str])


def _job(item: Any, mine: Ours) -> VkdJob:
    spec, status = item.get("spec"), item.get("status")
    labels, annotations = {JOB: mine.job}, {TOKEN: mine.digest}
    about = {"name": item["name"], "labels": labels, "annotations": annotations}
    counts = _Status.model_validate(status or {})
    try:
        read = parsing.job({"metadata": about, "spec": spec, "status": status})
        total = int((spec or {}).get("completions") or 1)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"a job has another form: {error}") from error
    one = VkdJob(
        name=item["name"],
        ours=mine,
        queue=str(item.get("queue") or ""),
        total=total,
        active=counts.active or 0,
        succeeded=counts.succeeded or 0,
        failed=counts.failed or 0,
        job=read,
    )
    if read.conditions or (end := _counted(one)) is None:
        return one
    ended = read.model_copy(update={"conditions": (Condition(type=end, holds=True),)})
    return one.model_copy(update={"job": ended})


def _counted(one: VkdJob) -> str | None:
    """How it ended by the numbers of its pods; ``None`` when it has not."""
    if one.succeeded >= one.total:
        return "Complete"
    whole = one.succeeded + one.failed >= one.total
    return "Failed" if whole and not one.active and not one.job.suspended else None


def _queue(item: Any, sizes: Mapping[str, int]) -> LocalQueue:
    called = _text(item, "name")
    status = item.get("status") or {}
    try:
        active = {one["type"]: one for one in status.get("conditions") or ()}.get("Active", {})
        closed = ""
        if active.get("status") == "False":
            closed = str(active.get("message") or active.get("reason") or "it is not active")
        return LocalQueue(
            name=called,
            cluster_queue=called,
            closed=closed,
            waiting=status.get("pendingWorkloads") or 0,
            amounts=_amounts(item.get("spec") or {}, status, sizes),
        )
    except (TypeError, AttributeError, LookupError) as error:
        raise ValueError(f"a queue has another form: {error}") from error


def _amounts(spec: Any, status: Any, sizes: Mapping[str, int]) -> dict[str, Amount]:
    cohort = bool(spec.get("cohort") or spec.get("cohortName"))
    found: dict[str, Amount] = {}
    for flavour in (one for group in spec.get("resourceGroups") or () for one in group["flavors"]):
        for told in flavour["resources"]:
            limit = told.get("borrowingLimit")
            more = parsing.quantity(limit) if limit is not None else None
            one = Amount(
                quota=parsing.quantity(told.get("nominalQuota", 0)),
                more=more if limit is not None or cohort else Fraction(0),
            )
            if called := _resource(flavour["name"], told["name"], one, sizes):
                found[called] = parsing.added(found.get(called), one)
    for flavour in status.get("flavorsReservation") or ():
        for told in flavour["resources"]:
            called = _resource(flavour["name"], told["name"], None, sizes)
            if called in found:
                found[called] = parsing.reserved_too(found[called], told)
    return found


def _resource(flavour: str, resource: str, amount: Amount | None, sizes: Mapping[str, int]) -> str:
    """What is counted together: GPUs of one flavour; empty for a kind that is never to be had."""
    if resource != _GPU:
        return resource
    if amount is not None and not amount.quota and amount.more == 0:
        return ""
    return f"nvidia.com/{flavour}" if shapes.memory_of(flavour, sizes) else resource


def _list(told: Any) -> list[Any]:
    if not isinstance(told, list):
        raise ValueError("a list was expected")
    return told


def _text(item: Any, key: str) -> str:
    found = item.get(key) if isinstance(item, dict) else None
    if not isinstance(found, str):
        raise ValueError(f"something without {key!r}")
    return found


def _same(word: Word) -> Word:
    return word
