"""Jobs: what is asked (spec), what happened (record), and what crosses to people and programs.

States: ``queued`` → ``starting`` → ``running`` → ``succeeded`` | ``failed`` | ``cancelled``;
``evicted`` waits to run again. Silence of a back-end never changes the state: it sets
``unknown_since`` beside it. Memory in bytes, durations in seconds, times with a zone (UTC).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, StringConstraints

from jupyter_mlinfn.model.environments import EnvironmentRef, Remedy
from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.exactness import MAX_SEED, Fingerprint, GitState, Node, Verdict
from jupyter_mlinfn.model.places import Outlook
from jupyter_mlinfn.model.quantities import MAX_DURATION, MAX_MEMORY
from jupyter_mlinfn.model.releasing import Amendment, ReleaseOffer
from jupyter_mlinfn.model.states import (
    ACTIVE,
    ENDED,
    MAX_NAMED,
    PARAMETER_NAME,
    WAITING,
    Frozen,
    JobId,
    JobState,
    ParameterName,
    Reason,
    ReasonCode,
    Usage,
)
from jupyter_mlinfn.model.sweeps import PointIndex, Sweep, SweepCounts, SweepDraft
from jupyter_mlinfn.model.using import Using
from jupyter_mlinfn.model.wishes import Wishes

__all__ = [
    "ACTIVE",
    "ENDED",
    "MAX_NAMED",
    "PARAMETER_NAME",
    "WAITING",
    "Frozen",
    "JobId",
    "JobState",
    "ParameterName",
    "Reason",
    "ReasonCode",
    "Usage",
]  # what lies lower and is asked for here

JOB_ID = re.compile(r"[a-z2-7]{10}", re.ASCII)
"""Ten base-32 characters (50 random bits): short enough to type, a prefix is enough."""

QUEUE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.@:+-]{0,99}$"
"""Names of queues and accounts as batch systems write them: never an option, never two words."""

QueueName = Annotated[str, StringConstraints(pattern=QUEUE_NAME)]
GpuModel = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,59}$")]


class Resources(Frozen):
    """What one attempt may use. ``memory`` in bytes, ``time`` in seconds. ``gpu_memory``: each of
    its GPUs or MIG slices has at least so many bytes; ``gpu_model``: is of that model."""

    cpus: int = Field(default=1, ge=1, le=4096)
    memory: int = Field(default=2 * 2**30, ge=2**20, le=MAX_MEMORY)
    gpus: int = Field(default=0, ge=0, le=64)
    time: int = Field(default=3600, ge=1, le=MAX_DURATION)
    gpu_memory: int | None = Field(default=None, ge=2**20, le=MAX_MEMORY)
    gpu_model: GpuModel | None = None


class Parameter(Frozen):
    """One parameter read from the notebook's ``parameters`` cell.

    ``kind`` is the type papermill's rules give it; ``default`` is the literal, or ``None`` with
    ``source`` (the expression's text) when the default is no literal.
    """

    name: ParameterName
    kind: Literal["int", "float", "str", "bool", "none", "list", "dict", "expression"]
    default: JsonValue = None
    source: str = ""
    help: str | None = None


class JobRequest(Wishes):
    """What a person asks for: the body of ``POST jobs``, the arguments of ``mlinfn submit``.

    ``source`` is an absolute path, or one relative to the server's root for requests by HTTP.
    ``environment`` is a kernel name; ``None`` means the notebook's own kernel.
    ``parameters`` hold JSON values; strings typed on a command line come through
    ``raw_parameters`` and take the type of the notebook's default.
    ``create_parameters_cell`` allows a new first cell for parameters that have no cell.
    ``cell`` limits the job to this one cell's text (``%%mlinfn submit``).
    ``backend`` ``auto``: where it starts first. ``queue`` names one of the back-end's queues
    (``None``: its default), ``charge`` the group or account that pays. ``sweep`` makes one job
    with many points. ``seed`` is told to the job (``MLINFN_SEED``) and fixes the order of
    Python's hashes.
    """

    # files of our own must give back the number that was written
    model_config = ConfigDict(ser_json_inf_nan="constants")

    source: str = Field(min_length=1, max_length=4096)
    name: str | None = Field(default=None, max_length=200)
    parameters: dict[ParameterName, JsonValue] = Field(default={}, max_length=MAX_NAMED)
    raw_parameters: dict[ParameterName, str] = Field(default={}, max_length=MAX_NAMED)
    environment: str | None = Field(default=None, max_length=200)
    resources: Resources = Resources()
    backend: str = Field(default="auto", max_length=60)
    queue: QueueName | None = None
    charge: QueueName | None = None
    create_parameters_cell: bool = False
    try_first: bool = False
    cell: str | None = Field(default=None, max_length=10_000_000)
    sweep: Sweep | None = None
    inputs: tuple[str, ...] = Field(default=(), max_length=MAX_NAMED)
    outputs: tuple[str, ...] = Field(default=(), max_length=MAX_NAMED)
    evictable: bool = False
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)


class BundledFile(Frozen):
    """One file of the bundle or one input: path relative to the notebook's folder.

    ``sha256`` is ``None`` above the hashing limit: the record then says "size and time only".
    """

    path: str
    size: int
    mtime: float
    sha256: str | None
    role: Literal["notebook", "module", "input", "lock"]


class JobSpec(Wishes):
    """Immutable: what was asked and what was captured. Written to ``job.json`` before commit.

    A sweep has ``points`` (0: no sweep), whose own parameters lie in ``points.jsonl`` beside it;
    ``throttle`` of them may run at once, ``points_sha256`` is the hash of that file. ``exact``:
    it repeats ``rerun_of`` with the same code, environment and inputs, or does not run.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    schema_version: Literal[1] = 1
    id: JobId
    name: str
    token: str
    user: str
    source: str
    workdir: str
    kind: Literal["notebook", "cell", "script", "command"]
    command: tuple[str, ...] = ()
    parameters: dict[ParameterName, JsonValue] = Field(default={})
    points: int = 0
    throttle: int | None = None
    points_sha256: str | None = None
    injection: Literal["cell", "new-cell", "environment", "none"] = "none"
    environment: EnvironmentRef
    resources: Resources
    backend: str
    queue: str | None = None
    charge: str | None = None
    evictable: bool = False
    try_first: bool = False
    files: tuple[BundledFile, ...] = ()
    outputs: tuple[str, ...] = ()
    output_folder: str
    rerun_of: JobId | None = None
    exact: bool = False
    seed: int | None = None
    git: GitState | None = None
    submitted_at: AwareDatetime


class Progress(Frozen):
    """How far a running notebook is. ``values`` is the newest ``mlinfn.record(...)``."""

    cells_done: int = 0
    cells_total: int = 0
    current_cell: int | None = None
    last_line: str | None = None
    values: dict[str, JsonValue] = Field(default={})
    using: Using | None = None
    at: AwareDatetime | None = None


class Attempt(Frozen):
    """One start of a job. Exactly one attempt publishes its results.

    ``lost_seconds``: work that was not in a checkpoint when it was evicted or ran out of time.
    """

    number: int
    state: JobState
    reason: Reason | None = None
    host: str | None = None
    accelerators: tuple[str, ...] = ()
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    exit_code: int | None = None
    usage: Usage = Usage()
    lost_seconds: float | None = None
    node: Node | None = None


class EnvironmentName(Frozen):
    """The environment as the public record names it."""

    name: str
    digest: str | None = None


class JobRecord(Wishes):
    """What is shown of a job (one line of a list). ``output`` is the published notebook's path.

    ``cancelling`` is true from the request until the job has ended. ``evictions``: attempts that
    gave their place to another job; ``checkpoint_at``: when its newest checkpoint was saved.
    """

    id: JobId
    name: str
    kind: Literal["notebook", "cell", "script", "command"]
    state: JobState
    reason: Reason | None = None
    unknown_since: AwareDatetime | None = None
    cancelling: bool = False
    backend: str
    backend_id: str | None = None
    queue: str | None = None
    charge: str | None = None
    parameters: dict[str, JsonValue] = Field(default={})
    environment: EnvironmentName
    resources: Resources
    source: str
    output: str | None = None
    output_folder: str
    attempts: int = 0
    evictions: int = 0
    checkpoint_at: AwareDatetime | None = None
    try_first: bool = False
    evictable: bool = False
    rerun_of: JobId | None = None
    progress: Progress | None = None
    sweep: SweepCounts | None = None
    submitted_at: AwareDatetime
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    usage: Usage = Usage()


class JobDetails(Frozen):
    """All that is known of one job. ``verdict``: whether an exact rerun gave the same outputs.
    ``amendments``: how what it asks for was changed; ``release``: how it can be let go if held.
    """

    job: JobRecord
    spec: JobSpec
    attempts: tuple[Attempt, ...]
    values: tuple[dict[str, JsonValue], ...] = ()
    fingerprint: Fingerprint
    verdict: Verdict | None = None
    amendments: tuple[Amendment, ...] = ()
    release: ReleaseOffer | None = None


class JobCounts(Frozen):
    """Numbers above the list, and of every state that jobs are in."""

    running: int = 0
    queued: int = 0
    failed_today: int = 0
    total: int = 0
    by_state: dict[JobState, int] = Field(default={})


class JobPage(Frozen):
    """One page of jobs, newest first; ``next`` is the cursor of the following page."""

    jobs: tuple[JobRecord, ...]
    next: str | None = None
    counts: JobCounts = JobCounts()


class LogChunk(Frozen):
    """Log text from byte ``start`` to byte ``next``; ``size`` is the log's size now."""

    text: str
    start: int
    next: int
    size: int
    ended: bool


class Forecast(Frozen):
    """What would happen to a draft now. ``expected_start`` and ``position`` (jobs before it)
    where the system tells them; an expected start is a guess, and ``text`` says so."""

    starts_now: bool
    text: str
    expected_start: AwareDatetime | None = None
    position: int | None = Field(default=None, ge=0)


class Draft(Frozen):
    """A request checked without being submitted: all problems at once, and a forecast.

    ``parameters`` are those of the notebook's cell; ``accepted`` the values the job would get.
    ``remedy`` is what can be done at once about an environment that is not what its lock says.
    ``backend`` is where it would go, ``why`` says so where that was chosen automatically;
    ``places`` is what every place says, the preferred first.
    """

    ok: bool
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    forecast: Forecast | None = None
    parameters: tuple[Parameter, ...] = ()
    has_parameters_cell: bool = False
    accepted: dict[str, JsonValue] = Field(default={})
    sweep: SweepDraft | None = None
    environment: EnvironmentName | None = None
    remedy: Remedy | None = None
    backend: str | None = None
    why: str | None = None
    places: tuple[Outlook, ...] = ()
    resources: Resources = Resources()
    modules: tuple[str, ...] = ()
    output_folder: str | None = None


class RerunRequest(Frozen):
    """Changes to the recorded request; fields left out stay as they were.

    Another ``backend`` knows neither the old queue nor the old account: there both are the
    default unless they are given too.
    ``try_first`` ``false`` runs in full what was tried for five minutes.
    ``points`` of a sweep: only these, or those that did not succeed; a new sweep has them.
    ``from_checkpoint``: the new job begins with a copy of the checkpoints of the old one.
    ``exact``: nothing may differ but the place; refused where something would.
    """

    parameters: dict[ParameterName, JsonValue] | None = Field(default=None, max_length=MAX_NAMED)
    environment: str | None = Field(default=None, max_length=200)
    resources: Resources | None = None
    backend: str | None = Field(default=None, max_length=60)
    queue: QueueName | None = None
    charge: QueueName | None = None
    try_first: bool | None = None
    points: Literal["failed"] | tuple[PointIndex, ...] | None = None
    from_checkpoint: bool = False
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    exact: bool = False


class CleanupRequest(Frozen):
    """Which ended jobs to remove: those that ended more than ``older_than`` seconds ago."""

    older_than: int = Field(default=30 * 86400, ge=0, le=MAX_DURATION * 10)
    states: tuple[JobState, ...] = ("succeeded", "failed", "cancelled")
    outputs: bool = False
    dry_run: bool = True


class CleanupItem(Frozen):
    """One job a clean-up removes (or would remove), with its size in bytes."""

    id: JobId
    name: str
    ended_at: AwareDatetime | None
    size: int
    output_folder: str | None = None


class CleanupPlan(Frozen):
    """What a clean-up removes; ``done`` is false for a preview."""

    items: tuple[CleanupItem, ...]
    size: int
    done: bool
    failed: tuple[Problem, ...] = ()


class DebugKernel(Frozen):
    """Where to open a kernel after a failure: the kernel spec's name and the folder."""

    kernel_name: str
    folder: str
    note: str | None = None
