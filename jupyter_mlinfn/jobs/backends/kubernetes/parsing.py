"""What the API tells of jobs, pods, workloads and queues, as far as we need it. Pure.

Objects of a newer cluster may hold more than is known here; what is needed and cannot be read is
an error (ValueError), because an object that is left out would count as gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jupyter_mlinfn.model.kubernetes import JOB, JOB_UID, TOKEN

_JOB_NAME: Final = "batch.kubernetes.io/job-name"
_INDEX: Final = "batch.kubernetes.io/job-completion-index"

T = TypeVar("T")

_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([a-zA-Z]{0,2}|[eE][+-]?[0-9]+)")
_UNITS: Final[Mapping[str, Fraction]] = {
    "": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "P": Fraction(10**15), "E": Fraction(10**18),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
    "Pi": Fraction(2**50), "Ei": Fraction(2**60),
}  # fmt: skip


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Condition(_Read):
    """One condition of an object; ``holds`` when its status is "True"."""

    type: str
    holds: bool
    reason: str = ""
    message: str = ""


class KubernetesJob(_Read):
    """A Job. ``job`` is our id in its label, ``token`` our annotation; ``completed`` and ``failed``
    are indexes of an indexed one, such as ``0-3,7``."""

    name: str
    uid: str
    job: str
    token: str
    suspended: bool
    deleting: bool
    conditions: tuple[Condition, ...]
    indexed: bool = False
    completed: str = ""
    failed: str = ""

    @property
    def over(self) -> Condition | None:
        """How it ended, when it has."""
        return _holding(self.conditions, "Complete") or _holding(self.conditions, "Failed")


class Pod(_Read):
    """A pod of the Job ``owner``. ``waits`` and ``ended`` are the reason and message of its
    container, ``index`` its number in an indexed Job."""

    name: str
    job: str
    phase: str
    node: str
    deleting: bool
    created: AwareDatetime
    reason: str
    conditions: tuple[Condition, ...]
    waits: tuple[str, str] | None
    ended: tuple[str, str] | None
    owner: str = ""
    index: int | None = None

    @property
    def unscheduled(self) -> str | None:
        """Why no machine was found for it yet; ``None`` when one was, or nobody looked."""
        found = [c for c in self.conditions if c.type == "PodScheduled" and not c.holds]
        return found[0].message or found[0].reason if found else None

    @property
    def disrupted(self) -> Condition | None:
        """Why the cluster took its place, if it did."""
        return _holding(self.conditions, "DisruptionTarget")


class Workload(_Read):
    """Kueue's view of a job, found by the job's uid."""

    job_uid: str
    queue: str
    active: bool
    priority: int
    created: AwareDatetime
    conditions: tuple[Condition, ...]

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, whether it holds or not."""
        return next((one for one in self.conditions if one.type == kind), None)

    @property
    def pending(self) -> bool:
        """Whether it waits for quota."""
        ended = _holding(self.conditions, "Finished")
        return ended is None and _holding(self.conditions, "QuotaReserved") is None


class Amount(_Read):
    """Of one resource, in whole units (CPUs, bytes, devices): the quota, and what is reserved.

    ``borrowed`` of that is other queues' quota. ``more`` is what may be borrowed; ``None``: as
    much as the cohort has, nobody knows how much.
    """

    quota: Fraction
    used: Fraction = Fraction(0)
    borrowed: Fraction = Fraction(0)
    more: Fraction | None = Fraction(0)


class LocalQueue(_Read):
    """A queue of the namespace. ``amounts`` by resource; ``None``: this person may not see them.

    ``closed`` says why it takes no jobs; empty when it does; ``waiting``: so many wait in it.
    """

    name: str
    cluster_queue: str
    closed: str = ""
    waiting: int = 0
    amounts: Mapping[str, Amount] | None = None


def jobs(items: Iterable[Any]) -> tuple[KubernetesJob, ...]:
    """The jobs that are ours. Raises ValueError for one that cannot be read."""
    return tuple(_each(items, job))


def job(item: Any) -> KubernetesJob:
    """One job. Raises ValueError when it cannot be read."""
    about, spec, status = _parts(item)
    return KubernetesJob(
        name=about.get("name", ""),
        uid=about.get("uid", ""),
        job=_map(about, "labels").get(JOB, ""),
        token=_map(about, "annotations").get(TOKEN, ""),
        suspended=bool(spec.get("suspend")),
        deleting="deletionTimestamp" in about,
        conditions=_conditions(status),
        indexed=spec.get("completionMode") == "Indexed",
        completed=status.get("completedIndexes") or "",
        failed=status.get("failedIndexes") or "",
    )


def pods(items: Iterable[Any]) -> tuple[Pod, ...]:
    """The pods, the oldest one first. Raises ValueError for one that cannot be read."""
    return tuple(sorted(_each(items, _pod), key=lambda pod: pod.created))


def workloads(items: Iterable[Any]) -> tuple[Workload, ...]:
    """What Kueue knows of jobs. Raises ValueError for one that cannot be read."""
    return tuple(_each(items, _workload))


def local_queues(items: Iterable[Any], behind: Sequence[Any] | None) -> tuple[LocalQueue, ...]:
    """The queues; ``behind``: the ClusterQueues, ``None`` where they may not be seen."""

    def name(item: Any) -> str:
        return str(_map(item, "metadata").get("name", ""))

    known = dict(zip(_each(behind or (), name), behind or (), strict=True))
    return tuple(_each(items, lambda item: _local_queue(item, known)))


def quantity(text: Any) -> Fraction:
    """``500m``, ``8Gi``, ``3`` as a number. Raises ValueError."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise ValueError(f"{str(text)[:40]!r} is no quantity")
    if found[2][:1] in ("e", "E") and found[2] not in _UNITS:
        return Fraction(str(text))
    if found[2] not in _UNITS:
        raise ValueError(f"{str(text)[:40]!r} is no quantity")
    return Fraction(found[1]) * _UNITS[found[2]]


def _each(items: Iterable[Any], read: Callable[[Any], T]) -> list[T]:
    """What ``read`` makes of each. Raises ValueError where one has another form."""
    try:
        return [read(item) for item in items]
    except (TypeError, AttributeError, LookupError) as error:
        raise ValueError(f"an object has another form: {error}") from error


def _pod(item: Any) -> Pod:
    about, spec, status = _parts(item)
    state: Mapping[str, Any] = {}
    for told in status.get("containerStatuses") or ():
        state = _map(told, "state")
    return Pod(
        name=about.get("name", ""),
        job=_map(about, "labels").get(JOB, ""),
        phase=status.get("phase", ""),
        node=spec.get("nodeName") or "",
        deleting="deletionTimestamp" in about,
        created=datetime.fromisoformat(about.get("creationTimestamp", "")),
        reason=status.get("reason") or "",
        conditions=_conditions(status),
        waits=_why(state, "waiting"),
        ended=_why(state, "terminated"),
        owner=_map(about, "labels").get(_JOB_NAME, ""),
        index=_map(about, "annotations").get(_INDEX),
    )


def _why(state: Mapping[str, Any], kind: str) -> tuple[str, str] | None:
    if kind not in state:
        return None
    told = _map(state, kind)
    return str(told.get("reason") or ""), str(told.get("message") or "")


def _workload(item: Any) -> Workload:
    about, spec, status = _parts(item)
    return Workload(
        job_uid=_map(about, "labels").get(JOB_UID, ""),
        queue=spec.get("queueName") or "",
        active=spec.get("active") is not False,
        priority=spec.get("priority") or 0,
        created=datetime.fromisoformat(about.get("creationTimestamp", "")),
        conditions=_conditions(status),
    )


def _local_queue(item: Any, behind: Mapping[str, Any]) -> LocalQueue:
    about, spec, status = _parts(item)
    cluster_queue = str(spec.get("clusterQueue", ""))
    active = next((c for c in _conditions(status) if c.type == "Active"), None)
    closed = ""
    if active is not None and not active.holds:
        closed = active.message or active.reason or "it is not active"
    found = behind.get(cluster_queue)
    return LocalQueue(
        name=about.get("name", ""),
        cluster_queue=cluster_queue,
        closed=closed,
        waiting=status.get("pendingWorkloads") or 0,
        amounts=_amounts(found) if found is not None else None,
    )


def _amounts(item: Any) -> dict[str, Amount]:
    """By resource, over all flavours of a ClusterQueue."""
    _about, spec, status = _parts(item)
    cohort = bool(spec.get("cohortName") or spec.get("cohort"))
    found: dict[str, Amount] = {}
    for group in spec.get("resourceGroups") or ():
        for flavour in group.get("flavors") or ():
            for told in flavour.get("resources") or ():
                limit = told.get("borrowingLimit")
                more = quantity(limit) if limit is not None else (None if cohort else Fraction(0))
                one = Amount(quota=quantity(told.get("nominalQuota", 0)), more=more)
                found[told["name"]] = added(found.get(told["name"]), one)
    reserved = status.get("flavorsReservation") or status.get("flavorsUsage") or ()
    for flavour in reserved:
        for told in flavour.get("resources") or ():
            if told["name"] in found:
                found[told["name"]] = reserved_too(found[told["name"]], told)
    return found


def reserved_too(before: Amount, told: Mapping[str, Any]) -> Amount:
    """With what one flavour's reservation says. Raises ValueError."""
    used = before.used + quantity(told.get("total", 0))
    borrowed = before.borrowed + quantity(told.get("borrowed", 0))
    return before.model_copy(update={"used": used, "borrowed": borrowed})


def added(before: Amount | None, one: Amount) -> Amount:
    """What both are together."""
    if before is None:
        return one
    more = None if before.more is None or one.more is None else before.more + one.more
    return Amount(quota=before.quota + one.quota, more=more)


def _parts(item: Any) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    return _map(item, "metadata"), _map(item, "spec"), _map(item, "status")


def _map(item: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise ValueError("an object was expected")
    found = item.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{name} is no object")
    return found


def _conditions(status: Mapping[str, Any]) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            type=str(_field(told, "type")),
            holds=_field(told, "status") == "True",
            reason=str(_field(told, "reason") or ""),
            message=str(_field(told, "message") or ""),
        )
        for told in status.get("conditions") or ()
    )


def _field(told: Any, name: str) -> Any:
    if not isinstance(told, dict):
        raise ValueError("a condition is no object")
    return told.get(name)


def _holding(conditions: Iterable[Condition], kind: str) -> Condition | None:
    return next((one for one in conditions if one.type == kind and one.holds), None)
