"""What is told of environments beside the rows of the catalogue. Sizes in bytes."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from jupyter_mlinfn.model.environment_tasks import Change, Frozen, PackedImage
from jupyter_mlinfn.model.environments import Environment, KernelCommand, Package

ExportForm = Literal["environment.yml", "conda-lock.yml", "explicit", "platforms"]
"""``platforms`` is the lock that was made for several platforms, as far as one was."""


class HistoryState(Frozen):
    """One state an environment was in; ``installed`` when its files are still there."""

    digest: str
    at: AwareDatetime
    action: Literal["create", "clone", "change", "restore", "relock"]
    text: str
    current: bool = False
    installed: bool = False


class EnvironmentHistory(Frozen):
    """All states of an environment, newest first."""

    name: str
    states: tuple[HistoryState, ...]


class Usage(Frozen):
    """Who uses an environment: a running kernel, or a job that waits or runs."""

    kind: Literal["kernel", "job"]
    id: str
    name: str


class EnvironmentDetails(Frozen):
    """All that is known of one environment.

    ``digest`` is that of the lock; of a found one, which has none, that of what is installed
    (``locked`` false). ``origin`` is what it was cloned from, ``command`` how its kernel starts.
    """

    environment: Environment
    packages: tuple[Package, ...] = ()
    digest: str | None = None
    locked: bool = True
    command: KernelCommand | None = None
    platform: str | None = None
    channels: tuple[str, ...] = ()
    made_by: str | None = None
    made_at: AwareDatetime | None = None
    origin: str | None = None
    kernel: str | None = None
    images: tuple[PackedImage, ...] = ()
    history: tuple[HistoryState, ...] = ()
    used_by: tuple[Usage, ...] = ()


class DeletedEnvironment(Frozen):
    """What is gone, and what it freed; ``text`` says so in words, with what was kept."""

    name: str
    freed: int
    files: int
    text: str


class FoundPackage(Frozen):
    """One package of the channels; versions newest first, at most as many as are useful."""

    name: str
    versions: tuple[str, ...]
    channel: str


class PackageMatches(Frozen):
    """Packages whose names match; the best first. ``more`` when some were left out.

    ``problem`` says which channel could not be asked; what the others have is still there.
    """

    search: str
    packages: tuple[FoundPackage, ...] = ()
    more: bool = False
    problem: str | None = None


class ExportedFile(Frozen):
    """The text of a file that describes an environment."""

    name: str
    form: ExportForm
    file_name: str
    text: str


class RegisteredKernel(Frozen):
    """An environment's kernel; ``registered`` false after it was taken away."""

    environment: str
    kernel: str
    registered: bool
    digest: str | None = None
    text: str


class Difference(Frozen):
    """What is other in ``right`` than in ``left``, on one platform."""

    left: str
    right: str
    platform: str
    change: Change
