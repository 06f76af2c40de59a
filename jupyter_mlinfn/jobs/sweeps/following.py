"""Following the points of sweeps on a batch system whose machines see the job's folder.

The system is asked once for everything. Of what it says of a sweep, only those points are looked
at more closely, in their folders, whose state there is not what the index has, and a few of those
that run, in turn: so a look at 10,000 points costs little however many have ended or wait.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.backends.told import Doubt, Phase, Teller, Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sweeps.handing import ArrayHanding, Arrays
from jupyter_mlinfn.jobs.sweeps.recorded import with_values
from jupyter_mlinfn.model.errors import MlinfnError, Unavailable
from jupyter_mlinfn.model.jobs import ACTIVE, ENDED, WAITING, JobRecord, JobState, Reason
from jupyter_mlinfn.model.sweeps import Point

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.store import JobStore

_log = logging.getLogger(__name__)

_LOOKS_FOR: Final = 1.5
"""Seconds that one look at a sweep may take; what is left is looked at the next time."""

_IN_TURN: Final = 32
_REFUSED: Final = " None of its code ran."

GONE: Final = Reason(
    code="lost",
    text="The sweep's folder is gone: it was removed, or its disk is not there. "
    "Nothing more can be known of it.",
)
CANCELLED: Final = Reason(
    code="cancelled-by-user", text="You cancelled this point before any of its code ran."
)


@dataclass(frozen=True)
class Element:
    """What the system says of some points of one array alike: ``indexes`` there.

    ``state`` is its own word, to see whether that changed; ``word`` tells the rest when asked.
    """

    array: str
    indexes: Iterable[int]
    state: str
    phase: Phase
    word: Callable[[], Word]


Unsaid = Callable[[JobRecord, Mapping[int, JobState], Mapping[int, Element]], Collection[int]]
"""Of a sweep, its points that have not ended and what the system says of them: those whose folders
are elsewhere, and not all of them is home."""


class PointFolders(JobFolders):
    """The folders of one point, where those of a job are looked for."""

    def __init__(self, folders: JobFolders, point: int) -> None:
        super().__init__(folders.data_dir)
        self._point = point

    def attempt(self, job: str, number: int, point: int | None = None) -> Path:
        """The folder of one attempt of the point."""
        return super().attempt(job, number, self._point if point is None else point)

    def attempts(self, job: str, point: int | None = None) -> list[int]:
        """The numbers of the point's attempts."""
        return super().attempts(job, self._point if point is None else point)


@dataclass
class Memory:
    """What is remembered of one sweep between two looks."""

    states: dict[int, str] = field(default_factory=dict)
    turn: int = 0
    doubts: dict[tuple[int, Doubt], float] = field(default_factory=dict)
    again: dict[bool, dict[int, int]] = field(default_factory=dict)


class SweepFollower:
    """Tells of the sweeps of one system; ``title`` is what people call it."""

    def __init__(
        self,
        store: JobStore,
        folders: JobFolders,
        handing: ArrayHanding,
        title: str,
        patience: Mapping[Doubt, float],
    ) -> None:
        self._store = store
        self._folders = folders
        self._handing = handing
        self._title = title
        self._patience = patience
        self._memories: dict[str, Memory] = {}

    def handed(self, record: JobRecord) -> bool:
        """Whether the system has to be asked for it: some of its points were handed over."""
        return bool(self._handing.note(self._folders.job(record.id)).ids)

    def observe(
        self, record: JobRecord, elements: Sequence[Element], unsaid: Unsaid | None = None
    ) -> Observation:
        """What is true of a sweep, of which the system says ``elements``; ``unsaid`` tells of
        which of its points nothing can be said yet."""
        folder = self._folders.job(record.id)
        if not folder.is_dir():
            return Observation(state="failed", reason=GONE)
        note = self._handing.note(folder)
        unfinished = self._store.points.unfinished(record.id)
        newest = self._handing.newest(folder)
        told = dict(_by_point(note, newest, elements, unfinished))
        memory = self._memories.setdefault(record.id, Memory())
        seen = self._unhanded(record, note, unfinished, told)
        given = {position for position, one in enumerate(note.arrays) if one.id is not None}
        there = {n: state for n, state in unfinished.items() if newest.get(n) in given}
        for number in unsaid(record, there, told) if unsaid is not None else ():
            there.pop(number, None)
        seen |= self._look(record, memory, note, told, list(_changed(memory, there, told)))
        return Observation(
            state=record.state,
            reason=_why_waiting(record, told.values()),
            backend_id=",".join(note.ids) or None,
            points=seen,
        )

    def heal(self, record: JobRecord) -> None:
        """Hand over what could not be before, and again what was lost or not started again."""
        folder = self._folders.job(record.id)
        note, memory = self._handing.note(folder), self._memories.get(record.id)
        again = memory.again if memory else {}
        if record.cancelling or not note.arrays or (note.whole and not again):
            return
        try:
            spec = self._folders.read_spec(record.id)
            if not note.whole:
                self._handing.submit(spec, folder)
            for lost, points in list(again.items()):
                self._handing.again(spec, folder, points, lost=lost)
                again.pop(lost)
                self._forget_doubts(memory, points)
        except Unavailable as error:
            _log.info("Points of job %s wait to be handed to %s: %s", record.id, self._title, error)
        except MlinfnError as error:
            _log.warning("Points of job %s cannot go to %s: %s", record.id, self._title, error)
            again.clear()

    def places(self, record: JobRecord, points: Sequence[int]) -> list[tuple[str, int]]:
        """Where these points are in the system: array and index; left out where nowhere."""
        folder = self._folders.job(record.id)
        note, newest = self._handing.note(folder), self._handing.newest(folder)
        found = []
        for number in points:
            array = note.arrays[newest[number]] if number in newest else None
            if array is not None and array.id is not None:
                found.append((array.id, number - array.offset))
        return found

    def has_ended(self, record: JobRecord, point: int) -> bool:
        """Whether the point's folder tells its end."""
        return Teller(PointFolders(self._folders, point), self._title).ended(record) is not None

    def untold(self, record: JobRecord, elements: Sequence[Element]) -> list[tuple[str, int]]:
        """Array and index of the points that have not ended and are not among ``elements``."""
        folder = self._folders.job(record.id)
        note, newest = self._handing.note(folder), self._handing.newest(folder)
        unfinished = self._store.points.unfinished(record.id)
        told = dict(_by_point(note, newest, elements, unfinished))
        return self.places(record, [number for number in unfinished if number not in told])

    def forget_others(self, going: Collection[str]) -> None:
        """Keep nothing in memory of sweeps but those that go on."""
        for job in self._memories.keys() - set(going):
            self._memories.pop(job)
            self._handing.forget(self._folders.job(job))

    # --- inside ---------------------------------------------------------------------------------

    def _forget_doubts(self, memory: Memory | None, points: Iterable[int]) -> None:
        """What is handed over again may not be in the next answer yet: it is doubted anew."""
        for key in [(number, doubt) for number in points for doubt in self._patience]:
            if memory is not None:
                memory.doubts.pop(key, None)

    def _unhanded(
        self,
        record: JobRecord,
        note: Arrays,
        unfinished: Mapping[int, JobState],
        told: Mapping[int, Element],
    ) -> dict[int, Observation]:
        """The points of arrays that were refused, or that are not handed over any more."""
        found: dict[int, Observation] = {}
        for array in note.arrays:
            if array.id is not None or not (array.refused or record.cancelling):
                continue
            seen = Observation(state="cancelled", reason=CANCELLED)
            if array.refused:
                reason = Reason(code="refused-by-system", text=array.refused + _REFUSED)
                seen = Observation(state="failed", reason=reason)
            waiting = (n for n in array.numbers() if unfinished.get(n) == "queued")
            found |= dict.fromkeys((n for n in waiting if n not in told), seen)
        return found

    def _look(
        self,
        record: JobRecord,
        memory: Memory,
        note: Arrays,
        told: Mapping[int, Element],
        numbers: Sequence[int],
    ) -> dict[int, Observation]:
        until, found = time.monotonic() + _LOOKS_FOR, {}
        for point in self._store.points.some(record.id, numbers):
            element = told.get(point.index)
            if element is not None:
                memory.states[point.index] = element.state
            seen = self._point(record, memory, note, point, element)
            if seen is not None:
                found[point.index] = seen
            if time.monotonic() > until:
                break
        return found

    def _point(
        self,
        record: JobRecord,
        memory: Memory,
        note: Arrays,
        point: Point,
        element: Element | None,
    ) -> Observation | None:
        """What is true of one point; ``None`` while a doubt is young."""
        folders = PointFolders(self._folders, point.index)
        teller = Teller(folders, self._title)
        one = as_record(record, point)
        word = element.word() if element else None
        told = teller.ended(one) or teller.observe(one, word)
        if isinstance(told, Observation):
            for doubt in self._patience:
                memory.doubts.pop((point.index, doubt), None)
            return self._with_values(folders, record, told)
        since = memory.doubts.setdefault((point.index, told), time.monotonic())
        if time.monotonic() - since < self._patience[told]:
            # it has to be looked at again though nothing new is said
            memory.states.pop(point.index, None)
            return None
        if told == "no-word" and word is not None:
            return self._with_values(folders, record, teller.concluded(one, word))
        return self._lost(memory, note, teller, one, point, told)

    def _lost(
        self,
        memory: Memory,
        note: Arrays,
        teller: Teller,
        one: JobRecord,
        point: Point,
        doubt: Doubt,
    ) -> Observation:
        """A point the system does not know or does not start again: once more, if it may."""
        if one.cancelling:
            return teller.cancelled(one)
        position = self._handing.newest(self._folders.job(one.id))[point.index]
        if doubt == "absent" and (note.arrays[position].again or teller.begun(one)):
            return teller.lost(one)
        memory.again.setdefault(doubt == "absent", {})[point.index] = position
        return teller.handed_again(one, doubt)

    def _with_values(
        self, folders: JobFolders, record: JobRecord, seen: Observation
    ) -> Observation:
        numbers = folders.attempts(record.id)
        if not numbers or not seen.attempt:
            return seen
        return with_values(seen, folders.attempt(record.id, numbers[-1]))


def as_record(record: JobRecord, point: Point) -> JobRecord:
    """A point as if it were a job of its own."""
    own = {
        "state": point.state,
        "attempts": point.attempts,
        "reason": point.reason,
        "cancelling": point.cancelling or record.cancelling,
        "backend_id": None,
    }
    return record.model_copy(update=own)


def _changed(
    memory: Memory, unfinished: Mapping[int, JobState], told: Mapping[int, Element]
) -> Iterator[int]:
    """The points that may be other than the index says; then some that run, in turn."""
    running = []
    for number, state in unfinished.items():
        element = told.get(number)
        if element is None:
            yield number
            continue
        same = memory.states.get(number) == element.state
        if element.phase == "waits" and ((state in WAITING and same) or state == "queued"):
            continue
        if element.phase != "over" and state == "running" and same:
            running.append(number)
            continue
        yield number
    first = memory.turn % max(1, len(running))
    memory.turn = first + _IN_TURN
    yield from (running[first:] + running[:first])[:_IN_TURN]


def _by_point(
    note: Arrays,
    newest: Mapping[int, int],
    elements: Sequence[Element],
    unfinished: Mapping[int, JobState],
) -> Iterator[tuple[int, Element]]:
    """The elements by point; of a point in several arrays the newest one counts."""
    places = {one.id: (position, one) for position, one in enumerate(note.arrays) if one.id}
    for element in elements:
        position, array = places.get(element.array, (-1, None))
        if array is None:
            continue
        for index in element.indexes:
            number = index + array.offset
            if number in unfinished and newest.get(number) == position:
                yield number, element


def _why_waiting(record: JobRecord, told: Iterable[Element]) -> Reason | None:
    if record.state in ENDED or record.state in ACTIVE:
        return None
    for element in told:
        if element.phase == "waits":
            return element.word().waits
    return record.reason
