"""Environments as other rooms see them: a named set of packages with an interpreter."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jupyter_mlinfn.model.environment_tasks import PackedImage, Relock, Restore


class KernelCommand(BaseModel):
    """How a kernel is started: what Jupyter's ``kernel.json`` says, fixed at submit.

    ``resource_dir`` is the folder of the kernel spec (it fills ``{resource_dir}`` in ``argv``).
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    display_name: str
    language: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    resource_dir: str
    interrupt_mode: Literal["signal", "message"] = "signal"


class Package(BaseModel):
    """One installed distribution.

    ``build`` is conda's build string: the same version built for CUDA and for CPU is not the
    same package. ``source`` ``other`` is what neither pip nor conda installed (the interpreter
    of a venv or of the system).
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    version: str
    source: Literal["conda", "pypi", "other"] = "pypi"
    build: str | None = None


class PackageDifference(BaseModel):
    """One package that is not as it was recorded; ``None`` means absent on that side."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    recorded: str | None
    present: str | None


class EnvironmentRef(BaseModel):
    """What a job records of its environment.

    ``digest`` is ``sha256:…`` of the sorted inventory ("inventoried, not locked") or of the lock;
    ``None`` for a kernel whose interpreter is no Python (R, Julia, C++), where no inventory is had.
    ``contents`` is the digest of the files behind a lock (``own/manifest.py``). ``image`` is the
    file that the kernel runs out of, ``image_digest`` that of its bytes; ``base`` and
    ``base_digest`` the same of the image below, where that file is a layer.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    digest: str | None = None
    locked: bool = False
    prefix: str | None = None
    contents: str | None = None
    image: str | None = None
    image_digest: str | None = None
    base: str | None = None
    base_digest: str | None = None
    kernel: KernelCommand


class Remedy(BaseModel):
    """What makes a locked environment that was changed usable for jobs again: one task.

    ``lock``: tools put whole packages there, which become a new state. ``put-back``: files were
    edited or deleted, which no lock can have; the locked ones come back. ``both``: one of each.
    ``text`` says what ``request`` would do, ``files`` names what is in no package (the first ones).
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: Literal["lock", "put-back", "both"]
    text: str
    files: tuple[str, ...] = ()
    request: Relock | Restore

    @property
    def hint(self) -> str:
        """The same for people in a terminal, who type it."""
        words = {"lock": "--lock-now", "put-back": "--put-back", "both": "--lock-now --put-back"}
        return f"{self.text} To do so and submit: mlinfn submit {words[self.kind]}."


class Mismatch(BaseModel):
    """How a locked environment differs from its lock, in words, and what can be done at once."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    text: str
    remedy: Remedy | None = None


class CudaFit(BaseModel):
    """Whether packages built for CUDA can run with this machine's driver; ``text`` says why.

    ``need`` is the least version that the packages ask of the driver, such as ``12.4``.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    state: Literal["compatible", "not-compatible", "unknown"]
    text: str
    need: str | None = None


class Environment(BaseModel):
    """One row of the catalogue. Sizes in bytes; ``None`` means not computed yet or not known.

    ``digest`` is that of the lock (``None``: not locked), ``inventoried`` that of the sorted
    inventory where packages were counted but there is no lock. ``packed`` says that an image of
    that very lock exists, ``cuda`` is ``None`` where no package needs CUDA. ``states`` counts the
    locks in its history. ``used_by_kernels`` and ``used_by_jobs`` count running kernels and
    jobs that wait or run (``None``: they cannot be asked now). ``last_used`` is when something
    ran in it, as far as is known.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    kind: Literal["found", "managed", "own"] = "found"
    source: Literal["kernel", "venv", "conda", "system", "image"]
    language: str = "python"
    python: str | None = None
    prefix: str | None = None
    kernels: tuple[str, ...] = ()
    packages: int | None = None
    telling: tuple[Package, ...] = ()
    size: int | None = None
    files: int | None = None
    measured_at: AwareDatetime | None = None
    problem: str | None = None
    digest: str | None = None
    inventoried: str | None = None
    packed: bool = False
    images: tuple[PackedImage, ...] = ()
    cuda: CudaFit | None = None
    made_by: str | None = None
    made_at: AwareDatetime | None = None
    origin: str | None = None
    states: int = 0
    kernel: str | None = None
    used_by_kernels: int = 0
    used_by_jobs: int | None = 0
    last_used: AwareDatetime | None = None


class EnvironmentList(BaseModel):
    """The catalogue; ``measuring`` while sizes and file counts are still being computed.

    ``container_root`` says that SIF files which run by themselves can be packed here.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    environments: tuple[Environment, ...]
    measuring: bool = False
    container_root: bool = False


class CudaDriver(Protocol):
    """What environments need to know of the GPUs; wired by ``workbench.py``."""

    def cuda(self) -> str | None:
        """The newest CUDA version the driver supports, ``12.8``; ``None`` without a driver.

        Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when the driver is silent.
        """
        ...


class EnvironmentUser(BaseModel):
    """A job that waits or runs in an environment."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    job: str
    name: str
    environment: str
    digest: str | None


class EnvironmentUsers(Protocol):
    """What environments need to know of the jobs; wired by ``workbench.py``."""

    def unfinished(self) -> tuple[EnvironmentUser, ...]:
        """The environments of all jobs that wait or run.

        Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when that cannot be told: then
        nothing is deleted.
        """
        ...


class EnvironmentResolver(Protocol):
    """What jobs need of environments; wired by ``workbench.py``."""

    def choices(self) -> tuple[EnvironmentRef, ...]:
        """Every kernel of this server as a reference, without digests (cheap)."""
        ...

    def resolve(self, name: str) -> EnvironmentRef:
        """The environment of kernel ``name`` with its digest; also an own or managed environment,
        and ``NAME@DIGEST``, one state of it.

        Raises :class:`~jupyter_mlinfn.model.errors.PartMissing` (code ``environment-missing``)
        when there is no such kernel or its program does not exist.
        """
        ...

    def packages(self, ref: EnvironmentRef) -> tuple[Package, ...]:
        """What the lock of ``ref`` names, else the sorted inventory; empty where none is had."""
        ...

    def changed(self, ref: EnvironmentRef) -> Mismatch | None:
        """What is other in the files of a locked ``ref`` than was installed, and what to do."""
        ...

    def lock(self, ref: EnvironmentRef) -> str | None:
        """The ``conda-lock.yml`` behind a locked ``ref``; ``None`` where there is none."""
        ...
