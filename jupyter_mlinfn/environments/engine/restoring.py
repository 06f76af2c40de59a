"""Plan the way back: an earlier lock of the environment's own history."""

from __future__ import annotations

from dataclasses import replace

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.papers import read_papers
from jupyter_mlinfn.environments.engine.plans import Plan, locked_plan
from jupyter_mlinfn.environments.engine.records import completed
from jupyter_mlinfn.environments.locks.files import require_platform
from jupyter_mlinfn.environments.own.layout import short
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.own.states import find_state
from jupyter_mlinfn.model.environment_tasks import Restore


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
