"""What a request comes to, before anything is installed: records, pip packages, papers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from rattler import RepoDataRecord

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.records import to_locked, to_record
from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage
from jupyter_mlinfn.environments.locks.wishes import Wish
from jupyter_mlinfn.environments.own.policy import channel_of
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import TaskRequest
from jupyter_mlinfn.model.errors import Conflict, NotFound
from jupyter_mlinfn.process.durable import write_durably

_LARGEST = 64 * 2**20
Action = Literal["create", "clone", "change", "restore", "relock"]


@dataclass(frozen=True)
class Plan:
    """The environment as it shall be.

    ``pip`` are entries to be installed as they are; if ``pip_wanted`` names requirements, pip
    resolves them first and keeps the versions of ``pip`` where it can. ``base`` is the lock the
    change is told against, ``digest`` the present state that must not have changed meanwhile.
    ``elsewhere`` are entries of the lock for other platforms. ``wished_anew``: the wish is noted
    even if the packages are the same. ``aside`` are files of the present prefix, edited by hand,
    that are kept when it is left behind.
    """

    action: Action
    records: Sequence[RepoDataRecord]
    channels: tuple[str, ...]
    wish: Wish
    pip: tuple[LockedPackage, ...] = ()
    pip_wanted: tuple[str, ...] = ()
    base: Lock | None = None
    digest: str | None = None
    origin: str | None = None
    elsewhere: tuple[LockedPackage, ...] = ()
    said: str | None = None
    notes: tuple[str, ...] = ()
    from_lock: bool = False
    wished_anew: bool = False
    aside: tuple[str, ...] = ()

    def lock(self, platform: str, pip: Iterable[LockedPackage]) -> Lock:
        """The lock, with ``pip`` for the packages of pip."""
        here = [to_locked(record, platform) for record in self.records]
        platforms = {platform, *(package.platform for package in self.elsewhere)}
        return Lock.made_of(self.channels, platforms, [*here, *pip, *self.elsewhere])

    def check(self, assignment: Assignment) -> None:
        """Raises :class:`Refused` for what the admin does not allow."""
        policy = assignment.policy
        policy.check_channels(dict.fromkeys(channel_of(r.url) for r in self.records))
        names = [record.name.normalized for record in self.records]
        policy.check_packages([*names, *(p.name for p in self.pip)])
        if self.pip or self.pip_wanted:
            policy.check_pip()


def locked_plan(action: Action, lock: Lock, wish: Wish, platform: str) -> Plan:
    """The plan to install a lock as it is."""
    here = lock.of(platform)
    return Plan(
        action=action,
        records=[to_record(package) for package in here if package.manager == "conda"],
        channels=lock.channels,
        wish=wish,
        pip=tuple(package for package in here if package.manager == "pip"),
        elsewhere=tuple(p for p in lock.packages if p.platform != platform),
        from_lock=True,
    )


class Solution(BaseModel):
    """``solution.json``: what a preview found, to be carried out exactly later on."""

    model_config = ConfigDict(frozen=True)

    request: TaskRequest
    action: Action
    lock: Lock
    wish: Wish
    digest: str | None
    origin: str | None
    said: str | None
    notes: tuple[str, ...]


def keep_solution(assignment: Assignment, plan: Plan, lock: Lock) -> None:
    """Write down what the preview found. Raises OSError."""
    solution = Solution(
        request=assignment.request,
        action=plan.action,
        lock=lock,
        wish=plan.wish,
        digest=plan.digest,
        origin=plan.origin,
        said=plan.said,
        notes=plan.notes,
    )
    write_durably(assignment.folder / "solution.json", solution.model_dump_json())


def previewed(assignment: Assignment, digest: str | None, base: Lock | None) -> Plan | None:
    """The plan of the preview that the request names, if it names one.

    ``digest`` and ``base`` are the environment now. Raises :class:`NotFound` when the preview is
    gone and :class:`Conflict` when it was of another request or state.
    """
    request = assignment.request
    if request.after is None:
        return None
    path = assignment.layout.task(request.after) / "solution.json"
    try:
        solution = Solution.model_validate_json(read_head(path, _LARGEST))
    except (OSError, ValidationError):
        raise NotFound(
            "The preview is no longer there. Nothing was changed.",
            code="preview-gone",
            field="after",
            hint="Look at a new preview, then confirm that one.",
        ) from None
    same = {"preview": False, "after": None}
    if solution.request.model_copy(update=same) != request.model_copy(update=same):
        raise _stale("The preview was of another request.")
    if solution.digest != digest:
        raise _stale(f"'{request.name}' was changed after the preview.")
    return replace(
        locked_plan(solution.action, solution.lock, solution.wish, assignment.policy.platform),
        base=base,
        digest=digest,
        origin=solution.origin,
        said=solution.said,
        notes=solution.notes,
    )


def _stale(why: str) -> Conflict:
    return Conflict(
        f"{why} Nothing was changed.",
        code="preview-stale",
        field="after",
        hint="Look at a new preview, then confirm that one.",
    )
