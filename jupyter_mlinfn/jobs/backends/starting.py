"""From a waiting job to its supervisor: slot, claim file, detached program.

Any process may do this; the index gives every slot once, and of two who start a supervisor for
one attempt the second finds its lock held.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from jupyter_mlinfn.jobs import accelerator_locks
from jupyter_mlinfn.jobs.attempt import TOKEN_VARIABLE, AttemptFolder, Slot, now
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Capacity, Claim
from jupyter_mlinfn.jobs.waking import lives, start_one
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.jobs import JobRecord, Reason
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.detach import own_program, start_detached
from jupyter_mlinfn.process.durable import write_durably
from jupyter_mlinfn.process.identity import this_machine
from jupyter_mlinfn.process.redaction import own_environment

BACKEND = "local"

_TAKEN = Reason(
    code="waits-for-accelerator",
    text="Another person's job took the accelerator at the same moment.",
)


def start_next(
    context: BackendContext, capacity: Capacity, free: Sequence[FreeAccelerator]
) -> Claim | None:
    """Give the next job that fits a slot and start it; ``None`` when nothing can start.

    Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the index is silent.
    """
    locked = lock_folder(context)
    free = [device for device in free if not accelerator_locks.is_held(locked, device.uuid)]
    while True:
        claim = context.store.claim(this_machine().host, capacity, free)
        if claim is None:
            return None
        held = accelerator_locks.hold(locked, claim.accelerators)
        if held is not None:
            break
        # somebody was faster: these are not tried again before the next look
        context.store.requeue(claim.job, claim.attempt, _TAKEN, point=claim.point)
        free = [device for device in free if device.uuid not in claim.accelerators]
    try:
        write_claim(context, claim)
        start_supervisor(attempt_folder(context, claim.job, claim.attempt, claim.point), held)
    finally:
        accelerator_locks.release(held)
    return claim


def write_claim(context: BackendContext, claim: Claim) -> None:
    """Write ``claim.json``; what is there already stays. Raises OSError, :class:`NotFound`."""
    folder = attempt_folder(context, claim.job, claim.attempt, claim.point)
    if folder.claim.exists():
        return
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    slot = Slot(
        job=claim.job,
        attempt=claim.attempt,
        token=claim.token,
        cpus=claim.cpus,
        memory=claim.memory,
        time=context.store.get(claim.job).resources.time,
        slots=this_machine().host,
        machine=this_machine().as_dict(),
        claimed_at=now(),
        accelerators=claim.accelerators,
        cpu_set=_quiet_cpus(context, claim),
        dispatcher=context.dispatcher_command,
        state_dir=str(context.state_dir),
        accelerator_locks=str(lock_folder(context)),
        point=claim.point,
    )
    write_durably(folder.claim, slot.to_json())


def start_supervisor(folder: AttemptFolder, held: Sequence[int] = ()) -> None:
    """Start the detached supervisor of an attempt, unless one looks after it already.

    It is given the attempt's lock at its start: Python alone may take seconds to begin, and
    meanwhile nobody may find the attempt without a supervisor. ``held`` are its accelerators'
    locks. Raises OSError.
    """
    lock = locks.acquire(folder.supervisor_lock)
    if lock is None:
        return
    environ = own_environment(os.environ)
    if held:
        environ["MLINFN_LOCK_FDS"] = ",".join(str(descriptor) for descriptor in held)
    try:
        start_detached(
            own_program("jupyter_mlinfn.jobs.supervisor", str(folder.path), str(lock)),
            env=environ,
            cwd=folder.path,
            log=folder.supervisor_log,
            pass_fds=(*held, lock),
        )
    finally:
        os.close(lock)


def start_dispatcher(context: BackendContext) -> None:
    """Start the dispatcher unless one lives. Raises OSError."""
    start_one(
        context.state_dir,
        partial(start_detached, context.dispatcher_command, nice=_GIVE_WAY),
    )


_GIVE_WAY = 5
"""The dispatcher's own start must not slow the kernel that starts at the same moment."""


def dispatcher_lives(context: BackendContext) -> bool:
    """Whether a dispatcher of this person and data folder runs on this machine."""
    return lives(context.state_dir)


def inside_a_job() -> bool:
    """Whether this process belongs to a job: whatever it starts would end with that job."""
    return TOKEN_VARIABLE in os.environ


def attempt_folder(
    context: BackendContext, job: str, number: int, point: int | None = None
) -> AttemptFolder:
    """The folder of one attempt, of a point where one is named."""
    return AttemptFolder(context.folders.attempt(job, number, point))


def newest_folder(
    context: BackendContext, record: JobRecord, point: int | None = None
) -> AttemptFolder:
    """The folder of the attempt the record, or a point as a record, speaks of."""
    return attempt_folder(context, record.id, max(1, record.attempts), point)


def lock_folder(context: BackendContext) -> Path:
    """Where the machine-wide locks of accelerators lie."""
    return context.accelerator_locks or accelerator_locks.DEFAULT_FOLDER


def _quiet_cpus(context: BackendContext, claim: Claim) -> tuple[int, ...]:
    """As many CPUs as the job asked for, those first that the fewest other jobs are bound to.

    No binding where the job may use them all.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if claim.cpus >= len(allowed):
        return ()
    busy: Counter[int] = Counter()
    for other in context.store.claims(this_machine().host):
        if (other.job, other.point) != (claim.job, claim.point):
            with suppress(OSError):
                slot = attempt_folder(context, other.job, other.attempt, other.point).read_slot()
                busy.update(slot.cpu_set if slot else ())
    return tuple(sorted(sorted(allowed, key=lambda cpu: busy[cpu])[: claim.cpus]))
