"""The points of a shared sweep: how each ended, one line each, and pages of them.

``points.jsonl`` holds their parameters, as in the job's own folder, and ``results.jsonl`` the rest.
What a colleague wrote there is checked line by line before any of it is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import JsonValue, TypeAdapter

from jupyter_mlinfn.jobs.sweeps import pointfile
from jupyter_mlinfn.jobs.sweeps.pages import MOST, first_of, no_sort, wrong_length
from jupyter_mlinfn.jobs.sweeps.rows import plain, searched
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import JobDetails
from jupyter_mlinfn.model.sharing import SharedPoint
from jupyter_mlinfn.model.states import ParameterName
from jupyter_mlinfn.model.sweeps import (
    MAX_POINTS,
    Point,
    PointColumns,
    PointFilter,
    PointPage,
    SweepCounts,
)

RESULTS: Final = "results.jsonl"
FILES: Final = (pointfile.NAME, RESULTS)

LARGEST: Final = 12 * 2**20
"""Bytes of each of the two files: what is read of them lies in memory."""
_LONGEST: Final = 2**18
_MOST_VALUES: Final = 200
_FACTS: Final = ("index", "state", "started_at", "ended_at", "seconds")
_ROW: Final = TypeAdapter(dict[ParameterName, JsonValue])


def written(points: Iterable[Point]) -> str:
    """``results.jsonl``."""
    own = {*SharedPoint.model_fields}
    told = (SharedPoint.model_validate(one.model_dump(include=own)) for one in points)
    return "".join(one.model_dump_json(exclude_defaults=True) + "\n" for one in told)


@dataclass(frozen=True)
class Table:
    """All points of one shared sweep, in order."""

    points: tuple[Point, ...]
    columns: PointColumns
    counts: SweepCounts

    def get(self, _job: str, number: int) -> Point:
        """One point. Raises :class:`NotFound` (``point-not-found``)."""
        if not 0 <= number < len(self.points):
            raise NotFound(f"This job has no point {number}.", code="point-not-found")
        return self.points[number]

    def numbers(self, _job: str, states: Sequence[str]) -> list[int]:
        """The numbers of the points in these states."""
        return [one.index for one in self.points if one.state in states]

    def page(self, wanted: PointFilter, limit: int, cursor: str | None) -> PointPage:
        """One page, as of a sweep of one's own. Raises :class:`InputError`."""
        if not 1 <= limit <= MOST:
            raise wrong_length(limit)
        first = first_of(cursor)
        found = self._sorted(wanted, [one for one in self.points if _fits(one, wanted)])
        return PointPage(
            points=tuple(found[first : first + limit]),
            next=f"p{first + limit}" if len(found) > first + limit else None,
            matching=len(found),
            columns=self.columns,
            counts=self.counts,
        )

    def _sorted(self, wanted: PointFilter, found: list[Point]) -> list[Point]:
        name = wanted.sort
        if name not in (*self.columns.parameters, *self.columns.values, *_FACTS):
            raise no_sort(name, self.columns)
        keys = {one.index: _key(self._value(one, name)) for one in found}
        there = [one for one in found if keys[one.index] is not None]
        there.sort(key=lambda one: keys[one.index], reverse=wanted.order == "desc")
        return there + [one for one in found if keys[one.index] is None]

    def _value(self, point: Point, name: str) -> Any:
        if name in self.columns.parameters:
            return plain(point.parameters.get(name))
        if name in self.columns.values:
            return point.values.get(name)
        if name == "seconds":
            began, ended = point.started_at, point.ended_at
            return (ended - began).total_seconds() if began and ended else None
        return getattr(point, name)


def check(job_folder: Path, details: JobDetails) -> None:
    """Read the checked copy once. Raises ValueError for what is no sweep of this job."""
    spec, counts = details.spec, details.job.sweep
    if not spec.points and counts is None:
        return
    if counts is None or not 0 < spec.points <= MAX_POINTS or spec.points_sha256 is None:
        raise ValueError("it is half a sweep")
    found = read(job_folder, spec.points_sha256, counts.throttle)
    if found.counts != counts or len(found.points) != spec.points:
        raise ValueError("its points are not those of the sweep")


@lru_cache(maxsize=2)
def read(job_folder: Path, sha256: str, throttle: int | None) -> Table:
    """The points in a checked copy, which never changes. Raises OSError and ValueError."""
    given, ended = (_content(job_folder / name) for name in FILES)
    if hashlib.sha256(given).hexdigest() != sha256:
        raise ValueError("its points are not those that were submitted")
    rows = [_ROW.validate_json(line) for line in _lines(given)]
    told = [SharedPoint.model_validate_json(line) for line in _lines(ended)]
    if [one.index for one in told] != list(range(len(rows))):
        raise ValueError("it does not tell how each of its points ended")
    points = tuple(_point(one, row) for one, row in zip(told, rows, strict=True))
    return Table(points, _columns(points), _counts(points, throttle))


NONE: Final = Table((), PointColumns(), SweepCounts(points=0))
"""Of a job that is no sweep."""


def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise ValueError("its points are too large")
    return path.read_bytes()


def _lines(content: bytes) -> list[bytes]:
    lines = content.splitlines()
    if len(lines) > MAX_POINTS or max(map(len, lines), default=0) > _LONGEST:
        raise ValueError("its points are too many, or too large")
    return lines


def _point(told: SharedPoint, row: dict[str, JsonValue]) -> Point:
    return Point(**{**told.model_dump(), "values": plain(told.values)}, parameters=plain(row))


def _columns(points: Sequence[Point]) -> PointColumns:
    parameters = dict.fromkeys(name for one in points for name in one.parameters)
    values = sorted({name for one in points for name in one.values})
    return PointColumns(parameters=tuple(parameters), values=tuple(values[:_MOST_VALUES]))


def _counts(points: Sequence[Point], throttle: int | None) -> SweepCounts:
    states = [one.state for one in points]
    ended = {state: states.count(state) for state in ("succeeded", "failed", "cancelled")}
    return SweepCounts(points=len(points), throttle=throttle, **ended)


def _fits(point: Point, wanted: PointFilter) -> bool:
    if wanted.state and point.state not in wanted.state:
        return False
    words = (wanted.search or "").casefold().split()
    return not words or all(word in searched(point.parameters) for word in words)


def _key(value: Any) -> Any:
    """Numbers before texts, as the database sorts one's own points; ``None``: no value."""
    if value is None:
        return None
    if isinstance(value, list | dict):
        return (1, json.dumps(value, ensure_ascii=False))
    return (1, value) if isinstance(value, str) else (0, value)
