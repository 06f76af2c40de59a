"""What can be asked for, and where: queues, back-ends, kernels, the submit form."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from jupyter_mlinfn.model.jobs import Frozen, JobRequest, Parameter, Resources, Usage


class Room(Frozen):
    """What is free in a queue now; memory in bytes."""

    cpus: int = Field(ge=0)
    memory: int = Field(ge=0)
    gpus: int = Field(ge=0)


class GpuShape(Frozen):
    """One kind of GPU or MIG slice: ``memory`` in bytes, ``None`` where nobody knows; ``free`` is
    ``None`` where the system does not tell."""

    name: str
    memory: int | None = None
    total: int = Field(ge=0)
    free: int | None = Field(default=None, ge=0)


class Queue(Frozen):
    """One queue of a back-end. ``time_limit`` in seconds, ``None``: no limit is known.

    ``cpus``, ``memory`` (bytes) and ``gpus`` are the totals of all its machines; ``free`` is
    ``None`` where the system does not tell. ``text`` says in one sentence what is special.
    """

    name: str
    default: bool = False
    time_limit: int | None = None
    cpus: int = Field(default=0, ge=0)
    memory: int = Field(default=0, ge=0)
    gpus: int = Field(default=0, ge=0)
    gpu_models: tuple[str, ...] = ()
    gpu_shapes: tuple[GpuShape, ...] = ()
    free: Room | None = None
    text: str = ""


class BackendChoice(Frozen):
    """One back-end the form knows of. ``missing`` says why it does not answer; empty when it does.

    ``limits`` is the most one job may ask for; ``None`` while the system is silent. What is
    submitted then waits until it speaks again.
    ``shares_folder``: the job works in the notebook's own folder. ``gpu_shapes``: of a place
    without queues. ``offloads``: it may hand jobs on to machines elsewhere.
    """

    name: str
    title: str
    missing: str = ""
    queues: tuple[Queue, ...] = ()
    limits: Resources | None = None
    shares_folder: bool = True
    gpu_shapes: tuple[GpuShape, ...] = ()
    offloads: bool = False


class KernelChoice(Frozen):
    """One environment the form offers."""

    name: str
    display_name: str
    language: str
    problem: str | None = None


class SubmitForm(Frozen):
    """All a submit form needs: the notebook's parameters, kernels, and sensible defaults.

    ``remembered`` is true when ``defaults`` are those last used for this notebook. ``secrets``
    are the names of those that the settings declare.
    """

    source: str
    defaults: JobRequest
    remembered: bool
    parameters: tuple[Parameter, ...]
    has_parameters_cell: bool
    kernels: tuple[KernelChoice, ...]
    backends: tuple[BackendChoice, ...] = ()
    limits: Resources
    last_used: Usage | None = None
    secrets: tuple[str, ...] = ()
    saved_at: AwareDatetime | None = None
