"""What every batch system must be able to do, and what it says about a job.

A back-end is one small class registered under the entry point group ``jupyter_mlinfn.backends``.
It never writes job states itself: it answers :class:`Observation`, and the store applies them,
only forward. Silence is no answer: a job the back-end cannot speak about is left out of the
mapping that :meth:`Backend.query` returns, or carries ``unknown_since``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import AwareDatetime, Field

from jupyter_mlinfn.model.accelerators import AcceleratorInventory
from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import (
    Forecast,
    Frozen,
    JobId,
    JobRecord,
    JobSpec,
    JobState,
    Progress,
    Reason,
    Resources,
    Usage,
)
from jupyter_mlinfn.model.offer import Queue

if TYPE_CHECKING:  # the store imports this module for the nouns below
    from jupyter_mlinfn.jobs.folders import JobFolders
    from jupyter_mlinfn.jobs.store import JobStore


class Observation(Frozen):
    """What is true of one job now, as its back-end sees it. Fields left ``None`` say nothing.

    ``attempt`` is the number of the attempt spoken of (1 for the first; 0 before any started).
    ``output`` is the absolute path of the published notebook or script's output folder.
    """

    state: JobState
    attempt: int = Field(default=0, ge=0)
    reason: Reason | None = None
    host: str | None = None
    accelerators: tuple[str, ...] = ()
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    exit_code: int | None = None
    usage: Usage | None = None
    output: str | None = None
    progress: Progress | None = None
    backend_id: str | None = None
    unknown_since: AwareDatetime | None = None


class Capacity(Frozen):
    """What all jobs of one machine may use together: whole CPUs, memory in bytes."""

    cpus: int = Field(ge=1)
    memory: int = Field(ge=1)


class Claim(Frozen):
    """The slot one attempt holds on one machine, from its claim until its end is recorded.

    ``token`` is the job's token; memory in bytes; ``accelerators`` are UUIDs.
    """

    job: JobId
    attempt: int = Field(ge=1)
    token: str
    cpus: int
    memory: int
    accelerators: tuple[str, ...] = ()


class Backend(Protocol):
    """One batch system. All calls are synchronous and may be made from any thread or process."""

    name: ClassVar[str]
    title: ClassVar[str]
    """What people read, such as "Slurm"."""
    shares_folder: ClassVar[bool]
    """Whether the job sees the person's own folders under the same paths."""

    def missing(self) -> str:
        """Why this back-end cannot be used here, as a sentence; empty when it can. Cheap."""
        ...

    def queues(self) -> tuple[Queue, ...]:
        """Its queues as they are now; none where there are none.

        Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the system is silent.
        """
        ...

    def limits(self) -> Resources:
        """The most one job can ever ask for here."""
        ...

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """Why a job asking for ``resources`` could never run here; empty when it could.

        An unknown ``queue`` or account (``charge``) is a problem that names those there are.
        """
        ...

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether such a job would start now, in words."""
        ...

    def submit(self, spec: JobSpec) -> str:
        """Hand the job over; returns the back-end's id.

        Idempotent by ``spec.token``: a second call for the same job finds the first.
        Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the system is silent.
        """
        ...

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        """What is true of these jobs now, in one go. Jobs not spoken of are left out."""
        ...

    def cancel(self, record: JobRecord) -> None:
        """Make the job end; the request is durable when this returns. Harmless when repeated."""
        ...

    def heal(self) -> None:
        """Start what waiting and active jobs need; cheap when nothing is to be done."""
        ...


@dataclass(frozen=True)
class LocalSettings:
    """The owner's word on how much of this machine jobs may use.

    ``cpus`` and ``memory`` (bytes) ``None``: what the cgroup and the machine offer, less the
    reserve for the person who works here interactively.
    """

    cpus: int | None = None
    memory: int | None = None
    reserve_cpus: int | None = None
    reserve_memory: int | None = None


@dataclass(frozen=True)
class SlurmSettings:
    """The owner's word on Slurm. ``programs``: the folder they lie in, empty: on the path.

    ``options``: ``queue``, ``evictable_queue``, ``charge``, ``qos``, ``gpu_model`` for jobs that
    name none. ``poll`` is the least number of seconds between two questions; ``user``: who asks.
    """

    programs: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    poll: float = 2.0
    user: str = ""


@dataclass(frozen=True)
class BackendContext:
    """What a back-end is built from; ``workbench.py`` makes it.

    ``dispatcher_command`` is the argv of the detached program that ends up in
    :func:`jupyter_mlinfn.jobs.dispatcher.run`. ``state_dir`` is a folder on a local disk for the
    dispatcher's lock and log: the data folder, or the database's folder when that lies elsewhere.
    ``accelerator_locks`` is where machine-wide locks of accelerators lie; ``None``: the default.
    """

    store: JobStore
    folders: JobFolders
    accelerators: AcceleratorInventory
    dispatcher_command: tuple[str, ...]
    state_dir: Path
    local: LocalSettings = field(default_factory=LocalSettings)
    slurm: SlurmSettings = field(default_factory=SlurmSettings)
    accelerator_locks: Path | None = None
