"""Plan a new state from what is installed now: what conda and pip put there after the lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name
from rattler import RepoDataRecord

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.papers import read_papers, with_requirements
from jupyter_mlinfn.environments.engine.plans import Plan
from jupyter_mlinfn.environments.engine.records import completed, read_prefix
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.requirements import conda_name, pip_name
from jupyter_mlinfn.environments.locks.wishes import Wish
from jupyter_mlinfn.environments.own.handwork import HandWork, Installed
from jupyter_mlinfn.environments.own.policy import channel_of
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.own.relocking import done_by_hand, in_no_package, what_came
from jupyter_mlinfn.environments.own.states import State
from jupyter_mlinfn.model.environment_tasks import Relock
from jupyter_mlinfn.model.errors import Conflict, Problem, Unavailable

_LISTED = 50


def plan_relock(
    assignment: Assignment, request: Relock, record: EnvironmentRecord, reporter: Reporter
) -> Plan:
    """What ``request`` comes to.

    Raises :class:`Conflict`: nothing was changed (``nothing-to-lock``), or files were edited that
    no lock can have (``not-lockable``), with a problem for each.
    """
    reporter.say("checking", "What is installed, against the lock")
    state = State(assignment.place, record, record.digest)
    work = _work(state)
    _check(work, request)
    lock, wish = read_papers(state.papers)
    platform = assignment.policy.platform
    wish = _wish(wish, work)
    changed = {str(canonicalize_name(one.name)) for one in work.fresh if one.manager == "pip"}
    out = changed | work.gone_pip
    kept = [p for p in lock.of(platform) if p.manager == "pip" and pip_name(p.name) not in out]
    fresh = [f"{one.name}=={one.version}" for one in work.fresh if one.manager == "pip"]
    still = [text for text in wish.pip if pip_name(text) not in changed]
    records = _records(lock, platform, work, state.prefix, assignment.layout.packages)
    return Plan(
        action="relock",
        records=records,
        channels=tuple(dict.fromkeys([*lock.channels, *(channel_of(r.url) for r in records)])),
        wish=wish,
        pip=tuple(kept),
        pip_wanted=(*fresh, *still) if fresh else (),
        base=lock,
        digest=record.digest,
        origin=record.origin,
        said=f"Locked what was installed: {what_came(work)}.",
        notes=_notes(work, assignment),
        aside=work.edited,
    )


def _work(state: State) -> HandWork:
    try:
        return done_by_hand(state)
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"What is installed in {state.prefix} cannot be compared with its lock: {error}.",
            code="prefix-damaged",
            hint=f"Nothing was changed. 'mlinfn env undo {state.record.name} --to "
            f"{state.prefix.name}' installs the locked files again.",
        ) from error


def _check(work: HandWork, request: Relock) -> None:
    if not work.packages and not work.edited:
        raise Conflict(
            f"'{request.name}' is what its lock says. Nothing was changed.", code="nothing-to-lock"
        )
    if work.packages and (request.set_aside or not work.edited):
        return
    raise Conflict(
        f"{in_no_package(work.edited)} Nothing was changed.",
        code="not-lockable",
        problems=[
            Problem(
                code="not-lockable",
                field=path,
                text=f"{path} is in no package as it is now.",
                hint="Put the locked files back; yours are kept.",
            )
            for path in work.edited[:_LISTED]
        ],
    )


def _records(
    lock: Lock, platform: str, work: HandWork, prefix: Path, cache: Path
) -> Sequence[RepoDataRecord]:
    """Those of the lock for what is as it was, those of the installer for what came."""
    fresh = {one.name for one in work.fresh if one.manager == "conda"}
    out = fresh | work.gone_conda
    staying = [p for p in lock.of(platform) if p.manager == "conda" and p.name not in out]
    came = [record for record in read_prefix(prefix) if record.name.normalized in fresh]
    return [*completed(staying, prefix, cache), *came]


def _wish(wish: Wish, work: HandWork) -> Wish:
    """What was wished for, and what somebody has asked for by hand since."""
    conda = [spec for spec in wish.conda if conda_name(spec) not in work.gone_conda]
    wished = {conda_name(spec) for spec in conda}
    added = [
        f"{one.name}={one.version}"
        for one in _of(work.fresh, "conda")
        if one.wanted or one.name in wished
    ]
    pip = [text for text in wish.pip if pip_name(text) not in work.gone_pip]
    names = {pip_name(text) for text in pip}
    fresh = list(_of(work.fresh, "pip"))
    asked = [one for one in fresh if one.wanted or pip_name(one.name) in names] or fresh
    new = {pip_name(one.name): f"{one.name}=={one.version}" for one in asked}
    return wish.model_copy(
        update={
            "conda": with_requirements(conda, added),
            "pip": (*(text for text in pip if pip_name(text) not in new), *new.values()),
        }
    )


def _of(packages: Iterable[Installed], manager: str) -> Iterable[Installed]:
    return (one for one in packages if one.manager == manager)


def _notes(work: HandWork, assignment: Assignment) -> tuple[str, ...]:
    if not work.edited:
        return ()
    kept = assignment.place.edited / assignment.identifier
    if assignment.request.preview:
        return (f"{in_no_package(work.edited)} They are left out; a copy of them will be kept.",)
    return (f"{in_no_package(work.edited)} They are left out and kept in {kept}.",)
