"""The frames of the live socket, JSON text both ways.

A topic's first frame is ``full``; ``delta`` frames follow with ``seq`` rising by one. A client
that misses a number subscribes again and gets a full frame.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter

from jupyter_mlinfn.model.accelerators import GpuSnapshot
from jupyter_mlinfn.model.environment_tasks import Task, TaskList
from jupyter_mlinfn.model.environments import EnvironmentList
from jupyter_mlinfn.model.jobs import Frozen, JobCounts, JobPage, JobRecord
from jupyter_mlinfn.model.sessions import SessionView

Topic = Literal["gpus", "jobs", "tasks", "session"]

CLOSE_PAUSED = 4001
CLOSE_SLOW = 4002


class Subscribe(Frozen):
    """Send this topic from now on; again: send a full frame now."""

    type: Literal["subscribe"]
    topic: Topic


class Unsubscribe(Frozen):
    """Send this topic no longer."""

    type: Literal["unsubscribe"]
    topic: Topic


class Active(Frozen):
    """The person used the page."""

    type: Literal["active"]


class Saved(Frozen):
    """The answer to ``save``; ``error`` ``not-open`` when the notebook is not open here."""

    type: Literal["saved"]
    request: str = Field(max_length=64)
    ok: bool
    path: str | None = Field(default=None, max_length=4096)
    error: str | None = Field(default=None, max_length=1000)


ClientMessage = Annotated[Subscribe | Unsubscribe | Active | Saved, Field(discriminator="type")]
CLIENT_MESSAGE: TypeAdapter[Subscribe | Unsubscribe | Active | Saved] = TypeAdapter(ClientMessage)


class GpuChanges(Frozen):
    """What changed since the frame before, as ``gpus/deltas.py`` writes it.

    ``t``: seconds since the epoch; ``a``: by short field name, then by the accelerator's place in
    the full frame's list, the new value.
    """

    t: float
    a: dict[str, dict[str, JsonValue]]


class JobChanges(Frozen):
    """Jobs that are new or changed, the ids of jobs that are gone, and the numbers now."""

    changed: tuple[JobRecord, ...] = ()
    deleted: tuple[str, ...] = ()
    counts: JobCounts


class Tasks(Frozen):
    """The environments, and the work on them: what runs, and what ended within the last hour."""

    environments: EnvironmentList
    tasks: TaskList


class TaskChanges(Frozen):
    """Tasks that are new or changed, and the ids of those that are no longer listed.

    ``environments`` is ``None`` while none of them changed: progress comes four times a second,
    and the list of environments is long.
    """

    environments: EnvironmentList | None = None
    changed: tuple[Task, ...] = ()
    gone: tuple[str, ...] = ()


class GpusFull(Frozen):
    """The whole of topic ``gpus``."""

    type: Literal["full"] = "full"
    topic: Literal["gpus"] = "gpus"
    seq: int
    data: GpuSnapshot


class GpusDelta(Frozen):
    """What changed of topic ``gpus``."""

    type: Literal["delta"] = "delta"
    topic: Literal["gpus"] = "gpus"
    seq: int
    data: GpuChanges


class JobsFull(Frozen):
    """The first page of topic ``jobs``."""

    type: Literal["full"] = "full"
    topic: Literal["jobs"] = "jobs"
    seq: int
    data: JobPage


class JobsDelta(Frozen):
    """What changed of topic ``jobs``."""

    type: Literal["delta"] = "delta"
    topic: Literal["jobs"] = "jobs"
    seq: int
    data: JobChanges


class TasksFull(Frozen):
    """The whole of topic ``tasks``."""

    type: Literal["full"] = "full"
    topic: Literal["tasks"] = "tasks"
    seq: int
    data: Tasks


class TasksDelta(Frozen):
    """What changed of topic ``tasks``."""

    type: Literal["delta"] = "delta"
    topic: Literal["tasks"] = "tasks"
    seq: int
    data: TaskChanges


class SessionFull(Frozen):
    """The whole of topic ``session``; it is so small that there are no deltas."""

    type: Literal["full"] = "full"
    topic: Literal["session"] = "session"
    seq: int
    data: SessionView


class Save(Frozen):
    """Please save the notebook of this kernel, or at this path, and answer ``saved``."""

    type: Literal["save"] = "save"
    request: str
    kernel_id: str | None = None
    path: str | None = None


class Paused(Frozen):
    """No input for a while: the socket closes with code 4001 after this frame."""

    type: Literal["paused"] = "paused"
    reason: str


class Trouble(Frozen):
    """A topic cannot be read for now, or a message could not be understood."""

    type: Literal["trouble"] = "trouble"
    topic: Topic | None = None
    code: str
    text: str


ServerMessage = (
    GpusFull
    | GpusDelta
    | JobsFull
    | JobsDelta
    | TasksFull
    | TasksDelta
    | SessionFull
    | Save
    | Paused
    | Trouble
)
