"""Handing the points of a sweep to a batch system, each once, whoever is killed on the way.

A system takes points in arrays, and one array has a largest size, so a sweep is several of them.
``arrays.json`` in the job's folder plans all arrays before the first is handed over, and is
written before every call and after its answer. A call whose answer nobody heard is looked for by
the array's own token; while it may still be on its way, nothing is submitted again. As with single
jobs the word before the call is not waited for on the disk while the sweep is new.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final, Protocol

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.jobs.alone import alone
from jupyter_mlinfn.jobs.backends.handing import is_new
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.model.errors import Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobSpec
from jupyter_mlinfn.process.durable import write_atomically, write_durably

_ON_ITS_WAY: Final = 40.0
"""Seconds after which a call is surely over: its program is killed before."""


class Array(BaseModel):
    """Some points that are handed over together.

    ``points`` are their numbers as a list of ranges; in the system a point's index is its number
    less ``offset``. ``id`` is the system's; ``tried_at``: seconds since the epoch of the newest
    call, ``answered``: whether it gave an id. ``again``: these points had been lost before;
    ``refused``: why the system will never take them.
    """

    offset: int
    points: str
    id: str | None = None
    tried_at: float = 0.0
    answered: bool = False
    again: bool = False
    refused: str | None = None

    def numbers(self) -> tuple[int, ...]:
        """The numbers of its points."""
        return ranges.read(self.points)


class Arrays(BaseModel):
    """``arrays.json``. The last array that has a point is the one that counts for it."""

    arrays: list[Array] = []

    @property
    def ids(self) -> list[str]:
        """The system's ids, of those that were taken."""
        return [one.id for one in self.arrays if one.id is not None]

    @property
    def whole(self) -> bool:
        """Whether all that was planned has been handed over."""
        return all(one.id is not None or one.refused is not None for one in self.arrays)

    def newest(self) -> dict[int, int]:
        """For every point the position of the array that counts."""
        return {
            number: position for position, one in enumerate(self.arrays) for number in one.numbers()
        }


class ArraySystem(Protocol):
    """What a batch system does in its own way."""

    title: ClassVar[str]

    def largest(self) -> tuple[int, int]:
        """How many points one array may have, and one more than their largest index may be."""
        ...

    def prepare(self, spec: JobSpec) -> None:
        """Have there what every array needs; harmless when repeated. Raises as :meth:`give`."""
        ...

    def give(self, spec: JobSpec, folder: Path, array: Array, token: str, after: str | None) -> str:
        """Submit one array; the system's id. Raises :class:`Refused` and :class:`Unavailable`.

        ``after``: the array before it, which has to end first where a throttle holds for both.
        """
        ...

    def find(self, spec: JobSpec, token: str) -> str | None:
        """The id of the array that was submitted with this token."""
        ...


class ArrayHanding:
    """Hands over the sweeps of one system."""

    def __init__(self, system: ArraySystem) -> None:
        self._system = system
        self._notes: dict[Path, tuple[int, Arrays, Mapping[int, int]]] = {}

    def note(self, folder: Path) -> Arrays:
        """What is noted; empty where there is nothing. Read anew only when it has changed."""
        return self._known(folder)[1]

    def newest(self, folder: Path) -> Mapping[int, int]:
        """For every point the position of the array that counts."""
        return self._known(folder)[2]

    def submit(self, spec: JobSpec, folder: Path) -> Arrays:
        """Hand over all that has not been. What the system would not take now is left for later.

        Raises :class:`Refused` when it will never take any of it, and :class:`Unavailable` when
        nothing could be handed over yet.
        """
        with self._locked(folder) as note:
            new = is_new(spec.submitted_at)
            if not note.arrays:
                self._plan(note, range(spec.points), *self._system.largest())
            if not new:
                # the word of a call may have been lost: what was handed over is looked for first
                for array in note.arrays:
                    if not array.tried_at:
                        array.tried_at, array.answered = 1.0, True
            _write(folder, note, durably=not new)
            trouble = self._give_all(spec, folder, note)
        if not note.ids and trouble is not None:
            raise trouble
        return note

    def again(
        self, spec: JobSpec, folder: Path, points: Mapping[int, int], *, lost: bool
    ) -> Arrays:
        """Hand over once more those ``points`` for which the array at the given position still
        counts: of several processes that find a loss out, one submits."""
        with self._locked(folder) as note:
            newest = note.newest()
            left = [number for number, position in points.items() if newest[number] == position]
            if left:
                self._plan(note, left, *self._system.largest(), again=lost)
                _write(folder, note)
            self._give_all(spec, folder, note)
        return note

    def _plan(
        self,
        note: Arrays,
        numbers: Iterable[int],
        most: int,
        span: int,
        *,
        again: bool = False,
    ) -> None:
        for piece in ranges.parts(numbers, most, span):
            points = ranges.written(piece)
            note.arrays.append(Array(offset=piece[0], points=points, again=again))

    def _give_all(self, spec: JobSpec, folder: Path, note: Arrays) -> Refused | Unavailable | None:
        """The first trouble, if any; after it nothing more was tried."""
        before: str | None = None
        for position, array in enumerate(note.arrays):
            if array.id is None and array.refused is None:
                if (folder / "cancel").exists():
                    return None
                try:
                    self._give(spec, folder, note, position, before)
                except Refused as error:
                    array.refused = error.text
                    _write(folder, note)
                    if not note.ids:
                        return error
                except Unavailable as error:
                    return error
            before = array.id or before
        return None

    def _give(
        self, spec: JobSpec, folder: Path, note: Arrays, position: int, before: str | None
    ) -> None:
        array, token = note.arrays[position], token_of(spec, position)
        if array.tried_at:
            array.id = self._system.find(spec, token)
            young = time.time() - array.tried_at < _ON_ITS_WAY
            if array.id is None and not array.answered and young:
                raise Unavailable(
                    f"{self._system.title} did not say whether it took some points; we look for "
                    "them before we ask again.",
                    code="array-unclear",
                )
        if array.id is None:
            self._system.prepare(spec)
            array.tried_at, array.answered = time.time(), False
            _write(folder, note, durably=not is_new(spec.submitted_at))
            after = before if spec.throttle is not None else None
            array.id = self._system.give(spec, folder, array, token, after)
        array.answered = True
        _write(folder, note)

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[Arrays]:
        text = f"The sweep is being handed over to {self._system.title}."
        with alone(folder, "arrays.lock", text, code="array-busy"):
            yield _read(folder)

    def _known(self, folder: Path) -> tuple[int, Arrays, Mapping[int, int]]:
        try:
            changed = (folder / "arrays.json").stat().st_mtime_ns
        except OSError:
            return 0, Arrays(), {}
        known = self._notes.get(folder)
        if known is None or known[0] != changed:
            note = _read(folder)
            known = self._notes[folder] = (changed, note, note.newest())
        return known

    def forget(self, folder: Path) -> None:
        """Keep nothing in memory of a sweep that has ended."""
        self._notes.pop(folder, None)


def token_of(spec: JobSpec, position: int) -> str:
    """What an array is found by, whoever asks."""
    return f"{spec.token}.{position}"


def _read(folder: Path) -> Arrays:
    try:
        return Arrays.model_validate_json((folder / "arrays.json").read_bytes())
    except (OSError, ValidationError):
        return Arrays()


def _write(folder: Path, note: Arrays, *, durably: bool = True) -> None:
    write = write_durably if durably else write_atomically
    write(folder / "arrays.json", note.model_dump_json())
