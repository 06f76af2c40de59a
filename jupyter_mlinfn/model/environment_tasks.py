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
    "starting",
    "solving",
    "downloading",
    "checking",
    "linking",
    "compiling",
    "packing",
    "copying",
    "removing",
    "finishing",
]
TaskState = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]


class Frozen(BaseModel):
    """A value that is not changed after it was made, and knows no fields but its own.

    Its validator is built at first use: no program that imports all models uses all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


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

    ``mode`` ``files``: the clone has files of its own, which share room on disk with the package
    cache where the file system can (shared blocks, else hard links, else copies). ``layer``: it
    has none and is kept as a layer over the packed file of its source. ``auto``: ``files`` where
    they share room, else ``layer`` where the source is packed.
    """

    action: Literal["clone"] = "clone"
    mode: Literal["auto", "files", "layer"] = "auto"
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
    """Write the environment as one file.

    ``over`` names a packed environment (``NAME`` or ``NAME@DIGEST``, own or managed) or the path
    of an image: then only what differs from that image is written, as a layer that runs over it.
    ``container``: put the root of a container under it that the settings name, so that the SIF
    file runs by itself.
    """

    action: Literal["pack"] = "pack"
    format: Literal["squashfs", "sif"] = "squashfs"
    over: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    container: bool = False


class Relock(Asked):
    """Make what is installed now, after a tool put packages into the prefix, a new locked state.

    Files that were edited belong to no package, so no lock can have them: with ``set_aside`` they
    are copied to a folder of their own and left out, without it the request is refused.
    """

    action: Literal["relock"] = "relock"
    set_aside: bool = False


class LockPlatforms(Asked):
    """Solve what was asked of the environment for ``platforms``; its packages stay as they are."""

    action: Literal["lock"] = "lock"
    platforms: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+-[a-z0-9]+$")], ...],
        Field(min_length=1, max_length=16),
    ]


class Share(Asked):
    """Copy a state's papers and its packed file to ``folder``, where others read them.

    ``digest`` is that of an earlier state. ``pack`` writes the packed file first where the present
    state has none.
    """

    action: Literal["share"] = "share"
    folder: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    digest: Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{8,64}$")] | None = None
    pack: bool = False


class Collect(Asked):
    """Remove what no environment, kernel or job uses any more; it concerns all environments."""

    action: Literal["gc"] = "gc"
    name: Literal[""] = ""


TaskRequest = Annotated[
    Create | Clone | Alter | Restore | Pack | Relock | LockPlatforms | Share | Collect,
    Field(discriminator="action"),
]


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


class ImageBelow(Frozen):
    """The image that a layer lies over: where it was, and ``sha256:…`` of its bytes."""

    path: str
    digest: str


class PackedImage(Frozen):
    """One file that holds an environment. ``digest`` is ``sha256:…`` of the file's bytes.

    With ``base`` it is a layer: it holds what differs from that image and runs over it alone.
    """

    path: str
    format: Literal["squashfs", "sif"]
    digest: str
    size: int
    compressor: str
    lock: str
    made_at: AwareDatetime
    base: ImageBelow | None = None


class GcItem(Frozen):
    """Something nobody uses any more."""

    kind: Literal["prefix", "image", "staging", "packages", "bytecode", "task"]
    name: str
    path: str
    size: int
    files: int
    environment: str | None = None
    digest: str | None = None


class GcKept(Frozen):
    """Something that stays, and why."""

    name: str
    why: str


class GcPlan(Frozen):
    """What would be removed, or was when ``done``; ``size`` and ``files`` are what is freed."""

    items: tuple[GcItem, ...] = ()
    kept: tuple[GcKept, ...] = ()
    size: int = 0
    files: int = 0
    done: bool = False


class TaskEvent(Frozen):
    """One step of a task; the newest says how far it is. ``total`` 0: not known."""

    at: AwareDatetime
    phase: Phase
    text: str = ""
    done: int = 0
    total: int = 0
    unit: Literal["packages", "bytes", "files", ""] = ""


class TaskResult(Frozen):
    """How a task ended. ``text`` is the sentence for people that says what is different now.

    ``path`` is the file or folder that was written, ``freed`` what was removed.
    """

    state: Literal["succeeded", "failed", "cancelled", "interrupted"]
    ended_at: AwareDatetime
    text: str
    change: Change | None = None
    image: PackedImage | None = None
    path: str | None = None
    freed: GcPlan | None = None
    exit_code: int = 0
    code: str | None = None
    problems: tuple[Problem, ...] = ()


class Task(Frozen):
    """A task as it is now; ``name`` is empty where it concerns all environments."""

    id: str
    action: Literal["create", "clone", "change", "restore", "pack", "relock", "lock", "share", "gc"]
    name: str
    preview: bool
    state: TaskState
    started_at: AwareDatetime
    event: TaskEvent | None = None
    result: TaskResult | None = None


class TaskList(Frozen):
    """Tasks that run, and those that ended within the last hour; newest first."""

    tasks: tuple[Task, ...] = ()
