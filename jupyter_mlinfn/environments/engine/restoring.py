"""Plan the way back: an earlier lock of the environment's own history."""

from __future__ import annotations

from dataclasses import replace

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.papers import read_papers, wish_of
from jupyter_mlinfn.environments.engine.plans import Plan, locked_plan
from jupyter_mlinfn.environments.engine.records import completed
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import read_lock, require_platform
from jupyter_mlinfn.environments.locks.wishes import Wish
from jupyter_mlinfn.environments.own.layout import short
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.own.states import find_state
from jupyter_mlinfn.model.environment_tasks import Restore
from jupyter_mlinfn.model.errors import Conflict, NotFound


def plan_restore(assignment: Assignment, request: Restore, record: EnvironmentRecord) -> Plan:
    """What ``request`` comes to. Raises :class:`NotFound` for a state it was never in."""
    place, platform = assignment.place, assignment.policy.platform
    state = find_state(assignment.layout, f"{request.name}@{request.digest}")
    digest = state.digest
    lock, wish = read_papers(state.papers)
    require_platform(lock, platform, where=f"The lock {short(digest)}")
    base, _ = read_papers(place.papers(record.digest))
    conda = [package for package in lock.of(platform) if package.manager == "conda"]
    return replace(
        locked_plan("restore", lock, wish, platform),
        records=completed(conda, state.prefix, assignment.layout.packages),
        base=base,
        digest=record.digest,
        origin=record.origin,
        said=f"Went back to {short(digest)}.",
    )


def plan_files(assignment: Assignment, request: Restore) -> Plan:
    """What it takes to install the files of one lock again, for jobs that recorded it.

    Raises :class:`NotFound` when the lock is neither here nor in the request, and
    :class:`Conflict` (``wrong-lock``) when that of the request has another digest.
    """
    platform = assignment.policy.platform
    lock, wish = _recorded(assignment, request)
    require_platform(lock, platform, where="The recorded lock")
    digest = lock.digest(platform)
    if not digest.startswith("sha256:" + request.digest.removeprefix("sha256:")):
        raise Conflict(
            f"The lock that was given is {short(digest)}, not {short(request.digest)}.",
            code="wrong-lock",
            field="file_text",
            hint="Nothing was changed.",
        )
    conda = [package for package in lock.of(platform) if package.manager == "conda"]
    prefix = assignment.place.prefix(digest)
    return replace(
        locked_plan("restore", lock, wish, platform),
        records=completed(conda, prefix, assignment.layout.packages),
    )


def _recorded(assignment: Assignment, request: Restore) -> tuple[Lock, Wish]:
    try:
        return read_papers(find_state(assignment.layout, f"{request.name}@{request.digest}").papers)
    except NotFound:
        if request.file_text is None:
            raise
    lock = read_lock(request.file_text)
    return lock, wish_of(lock)
