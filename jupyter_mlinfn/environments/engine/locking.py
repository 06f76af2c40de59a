"""Solve what was asked of an environment for several platforms: one ``conda-lock.yml``."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.holding import holding
from jupyter_mlinfn.environments.engine.leaving import Leaving
from jupyter_mlinfn.environments.engine.papers import read_papers
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.locks.condalock import Sources, lock_platforms
from jupyter_mlinfn.environments.locks.difference import describe, difference
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import dump_lock
from jupyter_mlinfn.environments.locks.wishes import Wish, dump_environment_yml
from jupyter_mlinfn.environments.own.exporting import FILE_NAMES
from jupyter_mlinfn.environments.own.record import read_record
from jupyter_mlinfn.model.environment_tasks import LockPlatforms, TaskResult
from jupyter_mlinfn.process.durable import write_durably


def perform_lock(
    assignment: Assignment, request: LockPlatforms, reporter: Reporter, leaving: Leaving
) -> TaskResult:
    """The result; the lock that was there before is replaced by the last step alone.

    Raises :class:`InputError` where the packages do not go together, :class:`Refused`,
    :class:`Unavailable`, OSError.
    """
    leaving.build_in(assignment.staging)
    if request.preview:
        return _succeeded(
            f"What was asked of '{request.name}' would be solved for "
            f"{', '.join(request.platforms)}. Its packages stay as they are."
        )

    def hold(descriptor: int) -> None:
        leaving.hold(descriptor, assignment.place)

    with holding(assignment.place, hold):
        record = read_record(assignment.place)
        folder = assignment.place.papers(record.digest)
        present, wish = read_papers(folder)
        reporter.say("solving", ", ".join(request.platforms), total=len(request.platforms))
        lock = _solved(assignment, wish, request)
        reporter.say("finishing", request.name)
        leaving.too_late()
        path = folder / FILE_NAMES["platforms"]
        write_durably(path, dump_lock(lock, dump_environment_yml(wish)))
    return _succeeded(_sentence(assignment, request, present, lock), str(path))


def _solved(assignment: Assignment, wish: Wish, request: LockPlatforms) -> Lock:
    """conda-lock works in the staging folder, which goes also when it is killed."""
    policy = assignment.policy
    policy.check_channels(wish.all_channels)
    if wish.pip:
        policy.check_pip()
    sources = Sources(
        channels=policy.channels,
        pip_indexes=policy.pip_indexes,
        cuda=policy.cuda,
        program=Path(policy.conda_program) if policy.conda_program else None,
        scratch=assignment.staging,
    )
    assignment.staging.mkdir(mode=0o700)
    try:
        lock = lock_platforms(wish, request.platforms, sources)
    finally:
        shutil.rmtree(assignment.staging, ignore_errors=True)
    policy.check_packages(sorted({package.name for package in lock.packages}))
    return lock


def _sentence(assignment: Assignment, request: LockPlatforms, present: Lock, lock: Lock) -> str:
    """For which platforms, and whether it is what is installed here."""
    told = f"'{request.name}' is locked for {', '.join(lock.platforms)}."
    here = assignment.policy.platform
    if here not in lock.platforms:
        return told
    change = difference(present, lock, here)
    if not (change.added or change.removed or change.changed):
        return f"{told} On {here} it is what is installed."
    return f"{told} Other than installed here: {describe(change)}"


def _succeeded(text: str, path: str | None = None) -> TaskResult:
    return TaskResult(state="succeeded", ended_at=datetime.now(UTC), text=text, path=path)
