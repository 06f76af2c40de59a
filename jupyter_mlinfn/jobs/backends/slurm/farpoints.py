"""The points of sweeps at a site that sees none of our folders: followed in one call, home in lots.

A sweep's folder went there once, for all points. Only those points are asked after that Slurm does
not let wait: of what is over there, until it is home nothing is said; of what runs, some bring
their news with each look, in turn. Lots come beside the looks, each is published as it comes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends.slurm.far import Far
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.travel import news
from jupyter_mlinfn.jobs.travel.news import AttemptNews
from jupyter_mlinfn.model.errors import MlinfnError, Unavailable
from jupyter_mlinfn.model.jobs import JobId, JobState

_log = logging.getLogger(__name__)

_ASKED: Final = 500
"""So many points that are over are asked after in one look, ..."""

_CLOSELY: Final = 32
"""... and so many of those that run bring their news."""

_LOT: Final = 64
_WAITED_FOR: Final = 2.0
"""Seconds that a look waits for what comes home; the rest comes beside the looks."""


@dataclass
class _Memory:
    """Of one sweep. ``here``: points of which all there is has come; ``turn``: whose it is."""

    asked_at: float | None = None
    here: set[int] = field(default_factory=set)
    turn: int = 0
    lots: _Lots | None = None


class FarPoints:
    """``poll``: the least number of seconds between two questions about a sweep."""

    def __init__(self, far: Far, folders: JobFolders, poll: float) -> None:
        self._far = far
        self._folders = folders
        self._poll = poll
        self._memories: dict[JobId, _Memory] = {}

    def forget(self, job: JobId) -> None:
        """The sweep is over, or more of it is handed over: what is there is asked anew."""
        self._memories.pop(job, None)

    def look(
        self, job: JobId, unfinished: Mapping[int, JobState], told: Mapping[int, Element]
    ) -> Collection[int]:
        """Bring news, and home what is over there; the points that are not home yet.

        ``unfinished`` is what the index says, ``told`` what Slurm does. Raises
        :class:`Unavailable` while the site is silent.
        """
        if not self._far.is_away(job):
            return ()
        self._far.renew(job)
        memory = self._memories.setdefault(job, _Memory())
        begun = {n: told.get(n) for n in unfinished if _may_have_begun(unfinished[n], told.get(n))}
        going = sorted(n for n, one in begun.items() if one is not None and one.phase != "over")
        over = sorted(begun.keys() - set(going), key=lambda number: (number in memory.here, number))
        memory.here.difference_update(going)
        now = time.monotonic()
        if begun and (memory.asked_at is None or now - memory.asked_at >= self._poll):
            self._ask(job, memory, over[:_ASKED], _in_turn(memory, going))
            memory.asked_at = now
        self._hear(job, memory, patience=_WAITED_FOR)
        return set(over) - memory.here

    # --- inside ---------------------------------------------------------------------------------

    def _ask(
        self, job: JobId, memory: _Memory, over: Sequence[int], closely: Sequence[int]
    ) -> None:
        told = self._far.points(job, [*over, *closely], closely)
        if told.gone:
            memory.here.update(over)
            return
        self._merge(job, told)
        by_point: dict[int, list[AttemptNews]] = {}
        for one in told.attempts:
            if one.point is not None:
                by_point.setdefault(one.point, []).append(one)
        due = []
        for number in (*over, *closely):
            there = by_point.get(number, [])
            if any(one.ended and not self._is_home(job, one) for one in there):
                memory.here.discard(number)
                due.append(number)
            elif number in memory.here or number in closely:
                continue
            elif there:  # it left no word of its own: what it has comes home once
                due.append(number)
            else:
                memory.here.add(number)
        if due and memory.lots is None:
            memory.lots = _Lots(self._far, job, due)
            memory.lots.start()

    def _merge(self, job: JobId, told: news.JobNews) -> None:
        try:
            news.merge(self._folders.job(job), told)
        except Unavailable as error:
            _log.debug("The news of job %s come with the next look: %s", job, error)

    def _hear(self, job: JobId, memory: _Memory, patience: float) -> None:
        """Take note of what has come home."""
        lots = memory.lots
        if lots is None:
            return
        lots.join(patience)
        over = not lots.is_alive()
        memory.here.update(lots.came)
        if over:
            memory.lots = None
            if lots.error is not None:
                _log.warning("Points of job %s cannot be brought home now: %s", job, lots.error)

    def _is_home(self, job: JobId, one: AttemptNews) -> bool:
        path = self._folders.attempt(job, one.number, one.point)
        return AttemptFolder(path).end.exists()


class _Lots(threading.Thread):
    """Some points on their way home, lot by lot, beside all looks; it ends with the process, and
    is begun again."""

    def __init__(self, far: Far, job: JobId, points: Sequence[int]) -> None:
        super().__init__(daemon=True, name=f"home-{job}")
        self._far = far
        self._job = job
        self._left = list(points)
        self.came: tuple[int, ...] = ()
        self.error: MlinfnError | OSError | None = None

    def run(self) -> None:
        """Bring them."""
        try:
            while self._left:
                self._bring(self._left[:_LOT])
        except (MlinfnError, OSError) as error:
            self.error = error

    def _bring(self, lot: Sequence[int]) -> None:
        """One lot, or as much of it as comes at once."""
        came = self._far.fetch(self._job, ranges.written(lot)) & set(lot)
        # where nothing is left there of any of them, no more can come
        here = [number for number in lot if number in came] or list(lot)
        self._left = [number for number in self._left if number not in here]
        self.came += tuple(here)


def _may_have_begun(state: JobState, told: Element | None) -> bool:
    return told is None or told.phase != "waits" or state != "queued"


def _in_turn(memory: _Memory, going: Sequence[int]) -> Sequence[int]:
    first = memory.turn % max(1, len(going))
    memory.turn = first + _CLOSELY
    return [*going[first:], *going[:first]][:_CLOSELY]
