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
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import AwareDatetime, Field, JsonValue

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
from jupyter_mlinfn.model.offer import GpuShape, Queue

if TYPE_CHECKING:  # the store imports this module for the nouns below
    from jupyter_mlinfn.jobs.folders import JobFolders
    from jupyter_mlinfn.jobs.store import JobStore


class Observation(Frozen):
    """What is true of one job now, as its back-end sees it. Fields left ``None`` say nothing.

    ``attempt`` is the number of the attempt spoken of (1 for the first; 0 before any started).
    ``output`` is the absolute path of the published notebook or script's output folder.
    ``evictions`` counts the evicted attempts up to this one; ``lost_seconds`` is what this one
    had done and not saved when it ended before its time. ``undone``: what was taken for a later
    attempt came to nothing, and the next start gets its number.

    Of a sweep, ``points`` tells what is true of those points that may have changed; the state
    of the whole follows from them. An end of the whole without ``points`` is the end of all that
    have not ended. ``values`` are what a point's code recorded, the newest of each name.
    """

    state: JobState
    attempt: int = Field(default=0, ge=0)
    undone: bool = False
    reason: Reason | None = None
    host: str | None = None
    accelerators: tuple[str, ...] = ()
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    exit_code: int | None = None
    usage: Usage | None = None
    output: str | None = None
    progress: Progress | None = None
    evictions: int | None = Field(default=None, ge=0)
    checkpoint_at: AwareDatetime | None = None
    lost_seconds: float | None = Field(default=None, ge=0)
    backend_id: str | None = None
    values: dict[str, JsonValue] | None = None
    points: Mapping[int, Observation] = Field(default={})
    unknown_since: AwareDatetime | None = None


class Capacity(Frozen):
    """What all jobs of one machine may use together: whole CPUs, memory in bytes."""

    cpus: int = Field(ge=1)
    memory: int = Field(ge=1)


class Claim(Frozen):
    """The slot one attempt holds on one machine, from its claim until its end is recorded.

    ``token`` is the job's token; memory in bytes; ``accelerators`` are UUIDs. ``point``: of a
    sweep.
    """

    job: JobId
    attempt: int = Field(ge=1)
    token: str
    cpus: int
    memory: int
    accelerators: tuple[str, ...] = ()
    point: int | None = None


class Backend(Protocol):
    """One batch system. All calls are synchronous and may be made from any thread or process."""

    name: ClassVar[str]
    title: ClassVar[str]
    """What people read, such as "Slurm"."""

    @property
    def shares_folder(self) -> bool:
        """Whether the job sees the person's own folders under the same paths."""
        ...

    @property
    def sweeps(self) -> bool:
        """Whether it runs one job with many points."""
        ...

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
        """Whether such a job would start now, when and after how many others, in words.

        Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the system is silent.
        """
        ...

    def submit(self, spec: JobSpec) -> str:
        """Hand the job over; returns the back-end's id.

        Idempotent by ``spec.token``: a second call for the same job finds the first.
        Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the system is silent.
        """
        ...

    def awaits(self, jobs: Sequence[JobRecord], *, sweep: bool) -> bool:
        """Whether a job, or a ``sweep``, that is handed over now would wait here by itself until
        these others have ended. Where not, it is handed over when they have."""
        ...

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        """What is true of these jobs now, in one go. Jobs not spoken of are left out."""
        ...

    def cancel(self, record: JobRecord) -> None:
        """Make the job end; the request is durable when this returns. Harmless when repeated."""
        ...

    def cancel_points(self, record: JobRecord, points: Sequence[int]) -> None:
        """As :meth:`cancel`, for some points of a sweep. Where :attr:`sweeps` is false it is
        never called."""
        ...

    def heal(self) -> None:
        """Start what waiting and active jobs need; cheap when nothing is to be done."""
        ...


@runtime_checkable
class TellsShapes(Protocol):
    """A back-end without queues that can say which kinds of GPUs it has."""

    def gpu_shapes(self) -> tuple[GpuShape, ...]:
        """The kinds there are and what is free of each. Raises :class:`Unavailable`."""
        ...


@runtime_checkable
class Travelling(Protocol):
    """A back-end whose machines may see none of our folders."""

    @property
    def travels(self) -> bool:
        """Whether a job's folder travels there, and its attempts home."""
        ...


def travels(backend: Backend) -> bool:
    """Whether jobs on this back-end see nothing but what travels with them."""
    return isinstance(backend, Travelling) and backend.travels


@runtime_checkable
class CarriesSecrets(Protocol):
    """A back-end to whose machines declared secrets can be brought with a job's folder."""

    @property
    def carries_secrets(self) -> bool:
        """Whether they are, to nobody but the person there."""
        ...


def carries_secrets(backend: Backend) -> bool:
    """Whether a job that travels to this back-end may have secrets."""
    return isinstance(backend, CarriesSecrets) and backend.carries_secrets


@dataclass(frozen=True)
class Elsewhere:
    """What machines see to which a back-end hands jobs on: ``folders`` of here, and its image.

    ``volumes`` are the folders of the image's machines that do not come from the image itself.
    ``staged``: the job's folder is sent there.
    """

    folders: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    staged: bool = False


@runtime_checkable
class Offloads(Protocol):
    """A back-end that can hand jobs on to machines elsewhere, where the site offers that."""

    def elsewhere(self) -> Elsewhere | None:
        """What is seen there; ``None``: no job is handed on."""
        ...


def elsewhere(backend: Backend) -> Elsewhere | None:
    """What machines see to which this back-end hands jobs on; ``None``: it hands none on."""
    return backend.elsewhere() if isinstance(backend, Offloads) else None


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
    name none; ``far_folder`` and ``far_python``: a folder and the Python with this package at a
    site that sees none of our folders. ``poll`` is the least number of seconds between two
    questions; ``user``: who asks.
    ``ssh`` is the machine to run the programs on by ssh, empty: here; ``ssh_config`` the file that
    configures it, empty: the person's own.
    """

    programs: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    poll: float = 2.0
    user: str = ""
    ssh: str = ""
    ssh_config: str = ""


@dataclass(frozen=True)
class HTCondorSettings:
    """The owner's word on HTCondor.

    ``options``: ``pool`` and ``schedd`` (where the configuration of this machine does not tell),
    ``tokens`` (folder of tokens), ``filesystem_domain``, ``requirements``, ``charge`` and
    ``gpu_model`` for jobs that name none; ``transfer`` (``yes``: job folders go through the
    schedd) and ``far_python``, the Python there. ``poll``: as for Slurm.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    poll: float = 2.0


@dataclass(frozen=True)
class OffloadSettings:
    """How pods are allowed onto virtual nodes: ``taint`` is the key of theirs that is tolerated.

    ``node_selector`` and ``affinity`` (as a pod has it) narrow where they go, ``annotations`` are
    for the node's own program; ``folders``: seen there as they are here.
    """

    taint: str = "virtual-node.interlink/no-schedule"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, JsonValue] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class StagingSettings:
    """The S3 bucket for jobs whose pods see no folder of here.

    ``endpoint`` is the server's address (empty: AWS), ``profile`` a section of the person's
    credentials file, ``python`` the Python with this package in the image. ``jobs``: "all", or
    those that are handed on ("offloaded").
    """

    bucket: str
    endpoint: str = ""
    prefix: str = ""
    region: str = "us-east-1"
    profile: str = ""
    python: str = ""
    jobs: str = "offloaded"


@dataclass(frozen=True)
class VkdSettings:
    """INFN's vkd as the way to Kubernetes.

    ``url``: of its API, empty: ``VKD_API_URL``, else its client's default; ``plain_http``: also
    one of another machine. ``token_file`` holds what is said in the header ``Authorization``.
    ``priority`` and ``evictable_priority`` are its classes; ``original_pod``, ``cvmfs``,
    ``juicefs``, ``offload_node`` go into its requests as they are, empty: not at all.
    ``container``: whose log is read. ``points``: of a sweep that one vkd job runs.
    """

    url: str = ""
    plain_http: bool = False
    token_file: str = ""
    priority: str = ""
    evictable_priority: str = ""
    original_pod: str = ""
    container: str = "notebook"
    cvmfs: str = ""
    juicefs: str = ""
    offload_node: str = ""
    points: int = 10


def offload_settings(told: Mapping[str, Any]) -> OffloadSettings | None:
    """What a site's setting ``kubernetes_offload`` says; empty: nothing is handed on."""
    if not told:
        return None
    return OffloadSettings(**{**told, "folders": tuple(told.get("folders", ()))})


@dataclass(frozen=True)
class KubernetesSettings:
    """The owner's word on Kubernetes.

    ``kubeconfig``: the file, empty: as kubectl finds it, or this pod's account; ``namespace``
    empty: that of the kubeconfig. ``template`` is the file with the pods of jobs, empty: they are
    made like this session's own pod. ``options``: ``queue``, ``evictable_queue``, ``priority``,
    ``evictable_priority`` (of Kueue) and ``gpu_resource``. ``poll``, ``user``: as for Slurm.
    ``offload`` ``None``: no job is handed on to virtual nodes; ``staging`` ``None``: pods see the
    folder of jobs; ``vkd`` ``None``: Kubernetes itself is asked. ``broker`` is the address of the
    hub's broker, which is then asked in place of the cluster.
    """

    kubeconfig: str = ""
    namespace: str = ""
    template: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    poll: float = 2.0
    user: str = ""
    offload: OffloadSettings | None = None
    staging: StagingSettings | None = None
    vkd: VkdSettings | None = None
    broker: str = ""


@dataclass(frozen=True)
class BackendContext:
    """What a back-end is built from; ``workbench.py`` makes it.

    ``dispatcher_command`` is the argv of the detached program that ends up in
    :func:`jupyter_mlinfn.jobs.dispatcher.run`. ``state_dir`` is a folder on a local disk for the
    dispatcher's lock and log: the data folder, or the database's folder when that lies elsewhere.
    ``gpu_types`` is the owner's word on how much memory (bytes) a type of GPU has.
    ``accelerator_locks`` is where machine-wide locks of accelerators lie; ``None``: the default.
    """

    store: JobStore
    folders: JobFolders
    accelerators: AcceleratorInventory
    dispatcher_command: tuple[str, ...]
    state_dir: Path
    local: LocalSettings = field(default_factory=LocalSettings)
    slurm: SlurmSettings = field(default_factory=SlurmSettings)
    htcondor: HTCondorSettings = field(default_factory=HTCondorSettings)
    kubernetes: KubernetesSettings = field(default_factory=KubernetesSettings)
    accelerator_locks: Path | None = None
    gpu_types: Mapping[str, int] = field(default_factory=dict)
