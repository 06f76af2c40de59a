"""What clients ask that is no noun of ``model``: query parameters and small bodies."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, RootModel, StringConstraints, model_validator

from jupyter_mlinfn.model.environment_answers import ExportForm
from jupyter_mlinfn.model.environment_tasks import TaskRequest
from jupyter_mlinfn.model.joblists import JobFilter, JobOrder
from jupyter_mlinfn.model.jobs import Frozen, JobState
from jupyter_mlinfn.model.storage import MAX_KEY
from jupyter_mlinfn.model.sweeps import Order, PointIndex

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]

EnvironmentWord = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class JobsQuery(JobFilter):
    """Which jobs, in which order; ``search`` looks in ids, names, sources and parameters.

    ``state``, ``backend`` and ``environment`` may be given several times. The cursor of a page
    belongs to the ``order`` that the page was asked in. Jobs in a state of ``skip`` are counted
    and not listed.
    """

    search: str | None = Field(default=None, max_length=200)
    order: JobOrder = "newest"
    skip: tuple[JobState, ...] = Field(default=(), max_length=20)
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=200)


class PointsQuery(Frozen):
    """Which points of a sweep, and in which order; see :class:`PointFilter`."""

    state: tuple[JobState, ...] = ()
    search: str | None = Field(default=None, max_length=200)
    sort: str = Field(default="index", min_length=1, max_length=100)
    order: Order = "asc"
    limit: int = Field(default=100, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=200)


class FormQuery(Frozen):
    """The notebook or script the form is for."""

    source: str = Field(min_length=1, max_length=4096)


class LogQuery(Frozen):
    """Which part of the log: from byte ``start`` on, at most ``limit`` bytes."""

    start: int = Field(default=0, ge=0, le=2**50)
    limit: int = Field(default=256 * 1024, ge=1, le=2**20)


class HistoryQuery(Frozen):
    """How far back, in seconds."""

    seconds: float = Field(default=300, ge=1, le=86400, allow_inf_nan=False)


class BrowseQuery(Frozen):
    """Which folder of a copy, by its key; empty: the topmost."""

    path: str = Field(default="", max_length=MAX_KEY)


class BucketQuery(Frozen):
    """Which folder of a bucket, and which page of it; ``search``: names that begin so."""

    path: str = Field(default="", max_length=1024)
    search: str = Field(default="", max_length=1024)
    more: str | None = Field(default=None, max_length=4096)


class ObjectQuery(Frozen):
    """Which object of a bucket."""

    path: str = Field(min_length=1, max_length=1024)


class SaveRequest(Frozen):
    """Which notebook: the one of a kernel of this server, or the one at a path."""

    kernel_id: Identifier | None = None
    path: str | None = Field(default=None, min_length=1, max_length=4096)

    @model_validator(mode="after")
    def _one_of_both(self) -> SaveRequest:
        if (self.kernel_id is None) == (self.path is None):
            raise ValueError("Give either kernel_id or path.")
        return self


class EnvironmentRequest(RootModel[TaskRequest]):
    """What is to be done with an environment; ``action`` says which of the requests it is."""

    model_config = ConfigDict(frozen=True)


class DifferenceQuery(Frozen):
    """Two environments: ``NAME``, or ``NAME@DIGEST`` for an earlier state."""

    left: EnvironmentWord
    right: EnvironmentWord


class PackagesQuery(Frozen):
    """What was typed of a package's name; ``channel``: instead of the configured ones."""

    search: str = Field(min_length=1, max_length=100)
    channel: tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...] = Field(
        default=(), max_length=8
    )


class DeleteQuery(Frozen):
    """``force``: also when kernels or jobs use it."""

    force: bool = False


class KernelRequest(Frozen):
    """``image``: the kernel that runs out of the packed file."""

    image: bool = False


class ExportQuery(Frozen):
    """Which file."""

    form: ExportForm = "environment.yml"


class DiffQuery(Frozen):
    """Which points are compared, where the jobs are sweeps."""

    a_point: PointIndex | None = None
    b_point: PointIndex | None = None


class NoQuery(Frozen):
    """No query parameters."""
