"""Slots of one machine: who may start next, and who holds what, inside one write transaction.

First in, first out, with reservation: a job that does not fit yet keeps back what it asks for,
so that later ones may use only what is left over and it never starves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, select, update

from jupyter_mlinfn.jobs.backends import shapes
from jupyter_mlinfn.jobs.backends.protocol import Capacity, Claim
from jupyter_mlinfn.jobs.rows import (
    change,
    document,
    next_revision,
    select_jobs,
    write_attempt,
)
from jupyter_mlinfn.jobs.sweeps.queueing import line
from jupyter_mlinfn.jobs.sweeps.rows import change_point, follow
from jupyter_mlinfn.jobs.tables import NO_POINT, claimed_accelerators, claims, jobs
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.jobs import WAITING, JobState, Reason
from jupyter_mlinfn.model.quantities import show_count, show_memory

_NEEDED: Final = (
    *("number", "id", "token", "attempts", "reason", "cpus", "memory"),
    *("gpus", "gpu_memory", "gpu_model", "state", "sweep"),
)
_BATCH: Final = 100

BEHIND: Final = Reason(code="waits-for-slot", text="Waits behind jobs submitted earlier.")


@dataclass
class Room:
    """What is left on the machine while the queue is gone through.

    ``held`` accelerators belong to other jobs now and will come back.
    """

    cpus: int
    memory: int
    accelerators: list[FreeAccelerator]
    held: int

    def has(self, job: Row[Any]) -> bool:
        """Whether ``job`` fits now."""
        enough: bool = job.cpus <= self.cpus and job.memory <= self.memory
        return enough and job.gpus <= len(self.suiting(job))

    def suiting(self, job: Row[Any]) -> list[FreeAccelerator]:
        """The accelerators left that have what ``job`` asks of one, the smallest first."""
        return shapes.suiting(self.accelerators, job.gpu_memory, job.gpu_model)

    def keep_back(self, job: Row[Any]) -> None:
        """Reserve for ``job``, which does not fit, what it will need.

        When it waits for accelerators that no job holds (a notebook does), ending jobs cannot
        help it: it then keeps back accelerators only, and the CPUs go to others meanwhile.
        """
        suiting = self.suiting(job)
        reachable = job.gpus <= len(suiting) + self.held
        kept = {device.uuid for device in suiting[: job.gpus]}
        self.accelerators = [one for one in self.accelerators if one.uuid not in kept]
        if reachable:
            self.cpus -= min(self.cpus, job.cpus)
            self.memory -= min(self.memory, job.memory)

    def why_not(self, job: Row[Any]) -> Reason:
        """What ``job`` waits for, in words."""
        if job.gpus > (there := len(self.suiting(job))):
            such = f" with {show_memory(job.gpu_memory)}" if job.gpu_memory else ""
            such += f" of the model {job.gpu_model}" if job.gpu_model else ""
            text = (
                f"Waits for {show_count(job.gpus, 'GPU')}{such}; {there or 'none'} can be had now."
            )
            return Reason(code="waits-for-accelerator", text=text)
        if job.cpus > self.cpus:
            text = f"Waits for {show_count(job.cpus, 'CPU')}; {self.cpus or 'none'} can be had now."
        else:
            text = (
                f"Waits for {show_memory(job.memory)} of memory; "
                f"{show_memory(self.memory)} can be had now."
            )
        return Reason(code="waits-for-slot", text=text)


def claim_next(
    connection: Connection,
    backend: str,
    machine: str,
    capacity: Capacity,
    free: Sequence[FreeAccelerator],
) -> Claim | None:
    """Give the next job that fits its slot and a new attempt; ``None`` when nothing can start."""
    room = _room(connection, machine, capacity, free)
    columns = [getattr(jobs.c, name) for name in _NEEDED]
    for job, point in line(connection, backend, _singles(connection, backend), columns):
        too_much = _asks_too_much(job, capacity)
        if too_much:
            _explain(connection, job, too_much)
        elif room.has(job):
            return _take(connection, job, point, machine, room)
        else:
            _explain(connection, job, room.why_not(job))
            room.keep_back(job)
        if room.cpus < 1 or room.memory < 1:
            _explain_rest(connection, backend, job.number)
            break
    return None


def held_on(connection: Connection, machine: str) -> list[Claim]:
    """All slots held on ``machine``, oldest job first."""
    rows = connection.execute(
        select(claims, jobs.c.token)
        .join(jobs, jobs.c.id == claims.c.job)
        .where(claims.c.machine == machine)
        .order_by(jobs.c.number)
    ).all()
    given: dict[tuple[str, int], list[str]] = {}
    mine = select(claimed_accelerators).where(claimed_accelerators.c.machine == machine)
    for row in connection.execute(mine.order_by(claimed_accelerators.c.uuid)):
        given.setdefault((row.job, row.point), []).append(row.uuid)
    return [
        Claim(
            job=row.job,
            attempt=row.attempt,
            token=row.token,
            cpus=row.cpus,
            memory=row.memory,
            accelerators=tuple(given.get((row.job, row.point), ())),
            point=None if row.point == NO_POINT else row.point,
        )
        for row in rows
    ]


def write_claim(connection: Connection, machine: str, claim: Claim) -> None:
    """Record a slot. The keys of the tables refuse a second slot, or a second holder."""
    point = NO_POINT if claim.point is None else claim.point
    connection.execute(
        claims.insert().values(
            job=claim.job,
            point=point,
            attempt=claim.attempt,
            machine=machine,
            cpus=claim.cpus,
            memory=claim.memory,
        )
    )
    for uuid in claim.accelerators:
        connection.execute(
            claimed_accelerators.insert().values(
                machine=machine, uuid=uuid, job=claim.job, point=point
            )
        )


def release(connection: Connection, job: str, point: int | None = None) -> None:
    """Give the slot of a job, or of one of its points, back (its accelerators with it)."""
    here = NO_POINT if point is None else point
    connection.execute(delete(claims).where(claims.c.job == job, claims.c.point == here))


def give_back(
    connection: Connection,
    job: str,
    attempt: int,
    reason: Reason | None,
    state: JobState = "queued",
) -> None:
    """Let a started job wait again in its old place: ``attempt`` is over, its slot is free."""
    told = {"state": "evicted", "reason": document(reason), "ended_at": datetime.now(UTC)}
    write_attempt(connection, job, attempt, **told)
    release(connection, job)
    change(
        connection,
        job,
        state=state,
        reason=document(reason),
        started_at=None,
        progress=None,
        unknown_since=None,
    )


def _room(
    connection: Connection, machine: str, capacity: Capacity, free: Sequence[FreeAccelerator]
) -> Room:
    used = connection.execute(
        select(
            func.coalesce(func.sum(claims.c.cpus), 0), func.coalesce(func.sum(claims.c.memory), 0)
        ).where(claims.c.machine == machine)
    ).one()
    held = set(
        connection.execute(
            select(claimed_accelerators.c.uuid).where(claimed_accelerators.c.machine == machine)
        ).scalars()
    )
    return Room(
        cpus=max(0, capacity.cpus - used[0]),
        memory=max(0, capacity.memory - used[1]),
        accelerators=[device for device in free if device.uuid not in held],
        held=len(held),
    )


def _waiting_on(backend: str) -> tuple[Any, ...]:
    return (
        jobs.c.state.in_(sorted(WAITING)),
        jobs.c.backend == backend,
        jobs.c.cancelling.is_(False),
        jobs.c.held.is_(False),
    )


def _singles(connection: Connection, backend: str) -> Iterator[Row[Any]]:
    # in batches: usually the first few jobs tell, and thousands may wait
    columns = [getattr(jobs.c, name) for name in _NEEDED]
    last = 0
    while True:
        here = (*_waiting_on(backend), jobs.c.sweep.is_(None), jobs.c.number > last)
        query = select(*columns).where(*here)
        batch = connection.execute(query.order_by(jobs.c.number).limit(_BATCH)).all()
        yield from batch
        if len(batch) < _BATCH:
            return
        last = batch[-1].number


def _asks_too_much(job: Row[Any], capacity: Capacity) -> Reason | None:
    if job.cpus <= capacity.cpus and job.memory <= capacity.memory:
        return None
    return Reason(
        code="asks-too-much",
        text=(
            f"Asks for {show_count(job.cpus, 'CPU')} and {show_memory(job.memory)}; jobs on this "
            f"machine may use {show_count(capacity.cpus, 'CPU')} and "
            f"{show_memory(capacity.memory)}. "
            "Cancel it and submit again with less."
        ),
    )


def _take(
    connection: Connection, job: Row[Any], point: Row[Any] | None, machine: str, room: Room
) -> Claim:
    claim = Claim(
        job=job.id,
        attempt=(job if point is None else point).attempts + 1,
        token=job.token,
        cpus=job.cpus,
        memory=job.memory,
        accelerators=tuple(device.uuid for device in room.suiting(job)[: job.gpus]),
        point=None if point is None else point.number,
    )
    write_claim(connection, machine, claim)
    if claim.point is not None:
        started = {"state": "starting", "attempts": claim.attempt, "host": machine}
        change_point(connection, job.id, claim.point, reason=None, started_at=None, **started)
        follow(connection, connection.execute(select_jobs().where(jobs.c.id == job.id)).one())
        return claim
    write_attempt(
        connection,
        job.id,
        claim.attempt,
        state="starting",
        host=machine,
        accelerators=list(claim.accelerators),
    )
    change(
        connection,
        job.id,
        state="starting",
        attempts=claim.attempt,
        reason=None,
        started_at=None,
        progress=None,
    )
    return claim


def _explain(connection: Connection, job: Row[Any], reason: Reason) -> None:
    # a sweep some of whose points run does not wait as a whole
    if job.state in WAITING and job.reason != document(reason):
        change(connection, job.id, reason=document(reason))


def _explain_rest(connection: Connection, backend: str, after: int) -> None:
    untold = (*_waiting_on(backend), jobs.c.number > after, jobs.c.reason.is_(None))
    if connection.execute(select(jobs.c.number).where(*untold).limit(1)).first():
        connection.execute(
            update(jobs)
            .where(*untold)
            .values(reason=document(BEHIND), revision=next_revision(connection))
        )
