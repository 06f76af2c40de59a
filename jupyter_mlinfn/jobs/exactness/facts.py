"""What of a job is compared, gathered from the index and its folder. Reading only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic import JsonValue

from jupyter_mlinfn.jobs.amending import amended
from jupyter_mlinfn.jobs.exactness.files import read_regular
from jupyter_mlinfn.jobs.exactness.notebooks import Cell, read_cells
from jupyter_mlinfn.jobs.exactness.packages import by_name
from jupyter_mlinfn.jobs.exactness.reading import read_node, read_outputs
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.follow import tail_documents
from jupyter_mlinfn.jobs.sweeps import pointfile
from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.exactness import DiffedJob, Node, OutputFile
from jupyter_mlinfn.model.jobs import Attempt, JobRecord, JobSpec, Usage
from jupyter_mlinfn.model.sweeps import Point

LARGEST_TEXT: Final = 512 * 2**10
"""Bytes of a module or script whose lines are compared."""


@dataclass(frozen=True)
class Facts:
    """One job, or one point of a sweep, as it is compared.

    ``code`` are the cells captured (of a script: one), ``printed`` those of its notebook as it
    is now; ``modules`` texts by path (``None``: not read). Times in seconds.
    """

    job: DiffedJob
    spec: JobSpec
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    code: tuple[Cell, ...] | None = None
    modules: Mapping[str, str | None] = field(default_factory=dict)
    outputs: tuple[OutputFile, ...] | None = None
    printed: tuple[Cell, ...] | None = None
    values: Mapping[str, JsonValue] = field(default_factory=dict)
    node: Node | None = None
    host: str | None = None
    accelerators: tuple[str, ...] = ()
    waited: float | None = None
    ran: float | None = None
    usage: Usage = field(default_factory=Usage)
    cell_seconds: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Run:
    """What the index says of the run of a job or a point."""

    state: str
    host: str | None
    accelerators: tuple[str, ...]
    started_at: datetime | None
    ended_at: datetime | None
    output: str | None
    usage: Usage


class RecordedPoints(Protocol):
    """Where the points of sweeps are told."""

    def get(self, job: str, number: int) -> Point:
        """One point."""
        ...


class Recorded(Protocol):
    """Where jobs are told: the index, or what a shared job tells of itself."""

    @property
    def points(self) -> RecordedPoints:
        """The points of sweeps."""
        ...

    def get(self, job: str) -> JobRecord:
        """One job."""
        ...

    def attempts(self, job: str) -> Sequence[Attempt]:
        """Its starts."""
        ...


class FactsReader:
    """Reads :class:`Facts`. Raises :class:`NotFound` where the job or its folder is gone."""

    def __init__(self, store: Recorded, folders: JobFolders) -> None:
        self._store = store
        self._folders = folders

    def read(self, job: str, point: int | None = None) -> Facts:
        """The facts of a job, or of one point of a sweep."""
        record = self._store.get(job)
        spec = self._folders.read_spec(record.id)
        spec = amended(spec, self._folders.job(record.id))
        run, parameters = self._job(record.id), dict(spec.parameters)
        if point is not None:
            run = self._point(record.id, point)
            parameters |= self._point_parameters(spec, point)
        home = self._folders.job(spec.id) if point is None else self._folders.point(spec.id, point)
        numbers = self._folders.attempts(spec.id, point)
        attempt = self._folders.attempt(spec.id, numbers[-1], point) if numbers else None
        target = Path(spec.output_folder) if point is None else Path(spec.output_folder, str(point))
        return Facts(
            job=DiffedJob(
                id=spec.id,
                name=spec.name,
                point=point,
                state=run.state,
                backend=spec.backend,
                submitted_at=spec.submitted_at,
            ),
            spec=spec,
            parameters=parameters,
            packages=by_name(self._folders.read_environment(spec.id).packages),
            code=self._code(spec),
            modules=self._modules(spec),
            outputs=read_outputs(home, target),
            printed=_printed(attempt, run.output),
            values=_values(attempt),
            node=read_node(attempt) if attempt else None,
            host=run.host,
            accelerators=run.accelerators,
            waited=_seconds(spec.submitted_at, run.started_at),
            ran=_seconds(run.started_at, run.ended_at),
            usage=run.usage,
            cell_seconds=_cell_seconds(attempt),
        )

    def _job(self, job: str) -> _Run:
        record, attempts = self._store.get(job), self._store.attempts(job)
        last = attempts[-1] if attempts else None
        return _Run(
            state=record.state,
            host=last.host if last else None,
            accelerators=last.accelerators if last else (),
            started_at=record.started_at,
            ended_at=record.ended_at,
            output=record.output,
            usage=record.usage,
        )

    def _point(self, job: str, number: int) -> _Run:
        point = self._store.points.get(job, number)
        return _Run(
            state=point.state,
            host=point.host,
            accelerators=(),
            started_at=point.started_at,
            ended_at=point.ended_at,
            output=point.output,
            usage=point.usage,
        )

    def _point_parameters(self, spec: JobSpec, number: int) -> dict[str, JsonValue]:
        if not spec.points:
            raise InputError("This job is no sweep: it has no points.", code="no-points")
        try:
            folder = self._folders.job(spec.id)
            return pointfile.parameters_of(folder, spec.points_sha256, number)
        except (OSError, ValueError) as error:
            raise NotFound(
                f"The points of job {spec.id} cannot be read.", code="bundle-damaged"
            ) from error

    def _code(self, spec: JobSpec) -> tuple[Cell, ...] | None:
        bundle = self._folders.bundle(spec.id)
        if spec.kind != "script":
            return read_cells(bundle / "notebook.ipynb")
        text = _text(bundle / "script.py")
        return None if text is None else (Cell(kind="code", source=text, output="", shown=""),)

    def _modules(self, spec: JobSpec) -> dict[str, str | None]:
        folder = self._folders.bundle(spec.id) / "modules"
        names = [file.path for file in spec.files if file.role == "module"]
        return {name: _text(folder / name) for name in names}


def _printed(attempt: Path | None, output: str | None) -> tuple[Cell, ...] | None:
    """The cells of the notebook that the run wrote: its own copy, else the published one.

    Numbered as in the captured notebook, without the cell that holds the parameters.
    """
    kept = read_cells(attempt / "notebook.ipynb") if attempt else None
    if kept is None and output is not None and output.endswith(".ipynb"):
        kept = read_cells(Path(output))
    return None if kept is None else tuple(cell for cell in kept if not cell.injected)


def _values(attempt: Path | None) -> dict[str, JsonValue]:
    """The newest value of each recorded name."""
    newest: dict[str, JsonValue] = {}
    for line in tail_documents(attempt / "values.jsonl") if attempt else ():
        values = line.get("values")
        newest |= values if isinstance(values, dict) else {}
    return newest


def _cell_seconds(attempt: Path | None) -> dict[int, float]:
    """How long each cell took, by its number (1 is the first one that ran)."""
    events: Any = tail_documents(attempt / "events.jsonl") if attempt else ()
    return {
        event["cell"]: float(event["seconds"])
        for event in events
        if event.get("kind") == "cell-done"
        and isinstance(event.get("cell"), int)
        and isinstance(event.get("seconds"), int | float)
    }


def _text(path: Path) -> str | None:
    """The text of a captured file; ``None`` when it is gone, large, or no text."""
    try:
        return read_regular(path, LARGEST_TEXT).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return round((end - start).total_seconds(), 3)
