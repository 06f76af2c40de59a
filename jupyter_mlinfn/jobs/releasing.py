"""Letting a job go that its batch system holds, as it is or asking for something else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from jupyter_mlinfn.jobs import amending
from jupyter_mlinfn.jobs.alone import alone
from jupyter_mlinfn.model.errors import Conflict, Problem, Refused
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, Reason, Resources
from jupyter_mlinfn.model.releasing import (
    Amendable,
    Amendment,
    Asking,
    ReleaseOffer,
    ReleaseRequest,
)

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.jobs.folders import JobFolders
    from jupyter_mlinfn.jobs.store import JobStore

AMENDS: Final[tuple[Amendable, ...]] = ("memory", "time", "cpus", "disk")


@runtime_checkable
class Releases(Protocol):
    """A back-end that can let a held job go."""

    def release(self, record: JobRecord) -> None:
        """Let it wait for its turn again; harmless when repeated.

        Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the system is silent.
        """
        ...


@runtime_checkable
class Amends(Releases, Protocol):
    """A back-end that can change what a held job asks for."""

    def amend(self, record: JobRecord, now: Asking) -> bool:
        """Let the held job ask for ``now``; false when it is not held any more. Harmless when
        repeated.

        Raises :class:`~jupyter_mlinfn.model.errors.Refused` and
        :class:`~jupyter_mlinfn.model.errors.Unavailable`.
        """
        ...

    def held_for(self, record: JobRecord) -> tuple[Amendable | None, int | None]:
        """What the hold is about, and how much of it the job had used. Asks nobody."""
        ...


_BUSY: Final = "This job is being released at this moment. Look at it again before you do more."


def offer(
    folders: JobFolders, backends: Mapping[str, Backend], record: JobRecord
) -> ReleaseOffer | None:
    """What can be done about a held job; ``None``: it is not held, or not to be released here."""
    backend = backends.get(record.backend)
    if not is_held(record) or not isinstance(backend, Releases):
        return None
    now = amending.asked(folders.read_spec(record.id), folders.job(record.id))
    if record.sweep is not None or not isinstance(backend, Amends):
        return ReleaseOffer(asks=now)
    cause, used = backend.held_for(record)
    return ReleaseOffer(amends=AMENDS, asks=now, cause=cause, used=used)


def is_held(record: JobRecord) -> bool:
    """Whether its batch system holds it."""
    held = record.reason is not None and record.reason.code == "held"
    return held and record.state not in ENDED


class Releasing:
    """The verb. ``backends`` by name."""

    def __init__(
        self, store: JobStore, folders: JobFolders, backends: Mapping[str, Backend]
    ) -> None:
        self._store = store
        self._folders = folders
        self._backends = backends

    def release(self, job: str, wanted: ReleaseRequest) -> JobRecord:
        """Let a held job go; its record as it is then. What it shall ask for from now on is
        written down before its batch system is told: a release that is repeated tells it again.

        Raises :class:`NotFound`, :class:`Conflict` (``not-held``, ``cannot-release``,
        ``cannot-amend``), :class:`Refused` (``asks-too-much``, ``refused-by-system``) with all
        problems at once, and :class:`~jupyter_mlinfn.model.errors.Unavailable`.
        """
        record = self._store.get(job)
        if not is_held(record):
            raise _not_held(record)
        backend = self._backends.get(record.backend)
        if not isinstance(backend, Releases):
            text = (
                f"Jobs on {record.backend} cannot be released from here. "
                "The reason says what to do there; or cancel the job and run it again."
            )
            raise Conflict(text, code="cannot-release")
        folder = self._folders.job(record.id)
        given = wanted.model_dump(exclude_none=True)
        if record.sweep is None and isinstance(backend, Amends):
            with alone(folder, "release.lock", _BUSY, code="release-busy"):
                self._amend(backend, record, folder, given)
        elif given:
            raise _cannot_amend(record)
        backend.release(record)
        # why it was held is told no more; what it waits for is told at the next look
        told = "preempted" if record.state == "evicted" else "waits-in-queue"
        text = "It was released and waits for its turn."
        self._store.set_reason(record.id, Reason(code=told, text=text))
        return self._store.get(record.id)

    # --- inside ---------------------------------------------------------------------------------

    def _amend(
        self, backend: Amends, record: JobRecord, folder: Path, given: Mapping[str, int]
    ) -> None:
        spec, earlier = self._folders.read_spec(record.id), amending.read(folder)
        before = earlier[-1].now if earlier else amending.asking(spec.resources)
        now = before.model_copy(update=dict(given))
        if now == before and not earlier:
            return
        resources = amending.changed(record.resources, now)
        told = list(earlier)
        if now != before:
            self._check(record, resources)
            told.append(Amendment(at=datetime.now(UTC), why=record.reason, before=before, now=now))
        amending.write(self._store, folder, told, resources)
        try:
            done = backend.amend(record, now)
        except Refused:
            self._take_back(record, folder, earlier, before)
            raise
        if not done:
            self._take_back(record, folder, earlier, before)
            raise _not_held(record)

    def _take_back(
        self, record: JobRecord, folder: Path, earlier: tuple[Amendment, ...], before: Asking
    ) -> None:
        """The system has not done it: the job asks for what it asked before."""
        amending.write(self._store, folder, earlier, amending.changed(record.resources, before))

    def _check(self, record: JobRecord, resources: Resources) -> None:
        """Refuse what the system can never give."""
        backend = self._backends[record.backend]
        problems = [
            Problem(
                code=one.code,
                text=one.text,
                field=one.field and one.field.removeprefix("resources."),
                hint=one.hint,
            )
            for one in backend.check(resources, record.queue, record.charge)
        ]
        if problems:
            text = "\n".join(problem.text for problem in problems)
            raise Refused(text, code=problems[0].code, field=problems[0].field, problems=problems)


def _not_held(record: JobRecord) -> Conflict:
    text = f"The job {record.name} is not held. There is nothing to release."
    return Conflict(text, code="not-held")


def _cannot_amend(record: JobRecord) -> Conflict:
    what = f"a job on {record.backend}"
    if record.sweep is not None:
        what = "a sweep, whose points all ask alike,"
    return Conflict(
        f"What {what} asks for cannot be changed. Release it as it is; or cancel it and run it "
        f"again with what it needs, as in 'mlinfn job rerun {record.id} --memory 8GiB'.",
        code="cannot-amend",
    )
