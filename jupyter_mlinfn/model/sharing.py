"""A run that is shared: a read-only copy of an ended job in a folder that colleagues can read."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import EnvironmentName, JobDetails, RerunRequest
from jupyter_mlinfn.model.states import Frozen, JobId, JobState, Reason, Usage
from jupyter_mlinfn.model.sweeps import PointIndex, SweepCounts

MAX_FILES = 20_000
"""So many files one shared run may have."""

_LARGE = 2**31


class ShareArea(Frozen):
    """A folder where people share runs, as the settings name it. ``writable``: by you."""

    name: str
    path: str
    writable: bool


class SharedFile(Frozen):
    """One file of a shared run, by its path below the run's folder."""

    path: str = Field(min_length=1, max_length=4096)
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class SharedPoint(Frozen):
    """How one point of a shared sweep ended; its parameters lie in ``points.jsonl``."""

    index: PointIndex
    state: Literal["succeeded", "failed", "cancelled"]
    reason: Reason | None = None
    values: dict[str, JsonValue] = Field(default={}, max_length=200)
    attempts: int = Field(default=0, ge=0, lt=_LARGE)
    host: str | None = Field(default=None, max_length=1000)
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    exit_code: int | None = Field(default=None, gt=-_LARGE, lt=_LARGE)
    usage: Usage = Usage()


class SharedNote(Frozen):
    """``shared.json``: what is told of the run, and which files lie beside it.

    Of a sweep, ``without_outputs`` says that its published files were too many to be copied, and
    ``without_logs`` of how many points the log was left out.
    """

    schema_version: Literal[1] = 1
    shared_at: AwareDatetime
    details: JobDetails
    files: tuple[SharedFile, ...] = Field(max_length=MAX_FILES)
    without_outputs: bool = False
    without_logs: int = Field(default=0, ge=0, lt=_LARGE)


class SharedJob(Frozen):
    """One shared run in a list. ``owner`` is whom its folder belongs to on this machine, whatever
    the run says of itself; ``mine``: that is you. ``size`` in bytes; ``sweep``: its counts,
    if it is one."""

    id: JobId
    name: str
    area: str
    path: str
    owner: str
    mine: bool
    shared_at: AwareDatetime
    state: JobState
    parameters: dict[str, str] = Field(default={})
    environment: EnvironmentName
    submitted_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    usage: Usage = Usage()
    size: int
    sweep: SweepCounts | None = None


class SharedJobs(Frozen):
    """What is shared with you, newest first. ``problems``: what cannot be read, and why."""

    jobs: tuple[SharedJob, ...]
    areas: tuple[ShareArea, ...]
    problems: tuple[Problem, ...] = ()


class SharedDetails(Frozen):
    """All that is known of a shared run. ``outputs`` are its published files; ``notes`` what was
    too large to be looked at here."""

    shared: SharedJob
    details: JobDetails
    outputs: tuple[SharedFile, ...]
    notes: tuple[str, ...] = ()


class ShareRequest(Frozen):
    """Where to share a run: the name of an area; ``None``: the only one there is."""

    area: str | None = Field(default=None, max_length=4096)


class SharedRerun(RerunRequest):
    """A run of a colleague as a job of one's own.

    ``into``: the folder that its code is copied into, relative to the server's root by HTTP.
    ``other_environment``: also where the environment here is not the recorded one.
    """

    into: str | None = Field(default=None, max_length=4096)
    other_environment: bool = False
