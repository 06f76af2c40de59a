"""What people ask of environments, what it would change, and how it goes on.

Every slow action is a *task*: a request that a worker process of its own carries out, with events
while it works and one result. A *preview* is a task that stops before it changes anything.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from jupyter_mlinfn.model.errors import Problem

ENVIRONMENT_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Names are folders, kernel names and words of a command line: ASCII, no leading dash or dot."""

TASK_ID = r"^[0-9a-f]{16}$"

Requirement = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Phase = Literal[
    "starting", "solving", "downloading", "checking", "linking", "compiling", "packing", "finishing"
]
TaskState = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]


class Frozen(BaseModel):
    """A value that is not changed after it was made, and knows no fields but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(Frozen):
    """``name`` is the own environment to be made or changed.

    ``preview`` stops before anything is changed. ``after`` names the preview whose solution is
    to be carried out exactly; it is refused when the environment has changed since.
    """

    name: Annotated[str, StringConstraints(max_length=400)]
    preview: bool = False
    after: Annotated[str, StringConstraints(pattern=TASK_ID)] | None = None


class Create(Asked):
    """From packages, or from the text of a file.

    ``file_name`` tells what ``file_text`` is: ``environment.yml``, ``conda-lock.yml``,
    ``requirements.txt`` or an ``@EXPLICIT`` list. ``channels`` empty: those of the settings.
    """

    action: Literal["create"] = "create"
    packages: tuple[Requirement, ...] = ()
    pip: tuple[Requirement, ...] = ()
    channels: tuple[str, ...] = ()
    file_name: Annotated[str, StringConstraints(max_length=255)] | None = None
    file_text: Annotated[str, StringConstraints(max_length=8 * 2**20)] | None = None


class Clone(Asked):
    """``source``: name of an own or managed environment (``NAME`` or ``NAME@DIGEST``), or a
    prefix that conda packages were installed to.
    """

    action: Literal["clone"] = "clone"
    source: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Alter(Asked):
    """Add, remove or update packages; ``update_all`` takes the newest of everything."""

    action: Literal["change"] = "change"
    add: tuple[Requirement, ...] = ()
    add_pip: tuple[Requirement, ...] = ()
    remove: tuple[Requirement, ...] = ()
    update: tuple[Requirement, ...] = ()
    update_all: bool = False


class Restore(Asked):
    """Go back (or forward) to the lock ``digest`` of the environment's history.

    ``only_files`` installs the files of that lock again where they were and changes nothing else:
    the environment stays what it is. ``file_text`` is then the lock's ``conda-lock.yml``, for the
    case that the environment does not have it any more.
    """

    action: Literal["restore"] = "restore"
    digest: Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{8,64}$")]
    only_files: bool = False
    file_text: Annotated[str, StringConstraints(max_length=8 * 2**20)] | None = None


class Pack(Asked):
    """Write the environment as one file."""

    action: Literal["pack"] = "pack"
    format: Literal["squashfs", "sif"] = "squashfs"


TaskRequest = Annotated[Create | Clone | Alter | Restore | Pack, Field(discriminator="action")]


class PackageChange(Frozen):
    """One package before and after: version and build; ``None``: absent on that side."""

    name: str
    before: str | None
    after: str | None
    manager: Literal["conda", "pip"] = "conda"


class Change(Frozen):
    """What an action changes, or would. Sizes in bytes.

    ``download`` is what has to be fetched (not in the package cache), ``size`` and ``files`` the
    environment's after the change; ``None`` where it cannot be told before.
    """

    added: tuple[PackageChange, ...] = ()
    removed: tuple[PackageChange, ...] = ()
    changed: tuple[PackageChange, ...] = ()
    download: int | None = None
    size: int | None = None
    files: int | None = None
    digest: str | None = None
    note: str | None = None


class PackedImage(Frozen):
    """One file that holds an environment. ``digest`` is ``sha256:…`` of the file's bytes."""

    path: str
    format: Literal["squashfs", "sif"]
    digest: str
    size: int
    compressor: str
    lock: str
    made_at: AwareDatetime


class TaskEvent(Frozen):
    """One step of a task; the newest says how far it is. ``total`` 0: not known."""

    at: AwareDatetime
    phase: Phase
    text: str = ""
    done: int = 0
    total: int = 0
    unit: Literal["packages", "bytes", "files", ""] = ""


class TaskResult(Frozen):
    """How a task ended. ``text`` is the sentence for people that says what is different now."""

    state: Literal["succeeded", "failed", "cancelled", "interrupted"]
    ended_at: AwareDatetime
    text: str
    change: Change | None = None
    image: PackedImage | None = None
    exit_code: int = 0
    code: str | None = None
    problems: tuple[Problem, ...] = ()


class Task(Frozen):
    """A task as it is now."""

    id: str
    action: Literal["create", "clone", "change", "restore", "pack"]
    name: str
    preview: bool
    state: TaskState
    started_at: AwareDatetime
    event: TaskEvent | None = None
    result: TaskResult | None = None


class TaskList(Frozen):
    """Tasks that run, and those that ended within the last hour; newest first."""

    tasks: tuple[Task, ...] = ()
