"""Sweeps: one job with many points, each the same notebook with other parameters.

Points are numbered from 0. Axes are combined with each other, the last one changing fastest;
rows (of a table) go before them, so that every row meets every combination.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from jupyter_mlinfn.model.states import Frozen, JobState, ParameterName, Reason, Usage

MAX_POINTS: Final = 10_000
MAX_AXES: Final = 50

Order = Literal["asc", "desc"]
PointIndex = Annotated[int, Field(ge=0, lt=MAX_POINTS)]


class Sweep(Frozen):
    """What is swept over. ``throttle``: at most so many points at once.

    ``axes`` hold JSON values; ``raw_axes`` texts as typed (``0.1,0.01``, ``0..99``,
    ``0..1:0.25``), whose values take the type of the notebook's default. ``rows`` are a table,
    one point a row; ``file`` is such a table as a CSV, relative to the notebook's folder, the
    first line naming the parameters.
    """

    # a request's file must give back the number that was written
    model_config = ConfigDict(ser_json_inf_nan="constants")

    axes: dict[ParameterName, tuple[JsonValue, ...]] = Field(default={}, max_length=MAX_AXES)
    raw_axes: dict[ParameterName, str] = Field(default={}, max_length=MAX_AXES)
    rows: tuple[dict[ParameterName, JsonValue], ...] = Field(default=(), max_length=MAX_POINTS)
    file: str | None = Field(default=None, min_length=1, max_length=4096)
    throttle: int | None = Field(default=None, ge=1, le=MAX_POINTS)


class SweepCounts(Frozen):
    """How many points there are, and how many are in each state; ``throttle`` as asked."""

    points: int
    throttle: int | None = None
    queued: int = 0
    starting: int = 0
    running: int = 0
    evicted: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class SweepDraft(Frozen):
    """What a sweep comes to: the number of points, what they vary, and the first few of them."""

    points: int
    varied: tuple[str, ...]
    first: tuple[dict[str, JsonValue], ...]


class Point(Frozen):
    """One point. ``parameters`` are those of the sweep (what is equal for all is in the job's);
    ``values`` the newest of each name its code recorded. ``output`` is its published notebook.

    ``attempts`` counts its starts; ``cancelling`` is true from the request until it has ended.
    """

    index: int
    state: JobState
    reason: Reason | None = None
    cancelling: bool = False
    parameters: dict[str, JsonValue] = Field(default={})
    values: dict[str, JsonValue] = Field(default={})
    attempts: int = 0
    host: str | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    exit_code: int | None = None
    output: str | None = None
    usage: Usage = Usage()


class PointColumns(Frozen):
    """The names that points of a sweep have values for: what can be shown, sorted and plotted."""

    parameters: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


class PointPage(Frozen):
    """One page of points; ``next`` is the cursor of the following page.

    ``columns`` and ``counts`` are of the whole sweep, ``matching`` of what was asked for.
    """

    points: tuple[Point, ...]
    next: str | None = None
    matching: int
    columns: PointColumns
    counts: SweepCounts


class PointFilter(Frozen):
    """Which points, in which order. ``sort`` is the name of a parameter or a value, ``index``,
    ``state``, ``started_at``, ``ended_at`` or ``seconds`` (the run time); points that have none
    come last. ``search`` looks in the parameters' values.
    """

    state: tuple[JobState, ...] = ()
    search: str | None = Field(default=None, max_length=200)
    sort: str = Field(default="index", min_length=1, max_length=100)
    order: Order = "asc"
