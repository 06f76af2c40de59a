"""The points of sweeps that ran in folders of their own: home in lots, news of some in turn.

What a point brings lies in the schedd's spool under a name of its own (see :mod:`.carrying`). Until
it is home, nothing is said of a point that has ended. Lots come beside the looks at all jobs; all
may be killed and done again.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.backends.htcondor import away, there
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.travel import home
from jupyter_mlinfn.model.errors import MlinfnError, Refused
from jupyter_mlinfn.model.jobs import JobId, JobState

_log = logging.getLogger(__name__)

Fetch = Callable[[JobId, Sequence[str]], None]
"""Writes these files of a sweep into its folder ``away``; raises :class:`Refused`
(``nothing-there``) where one of them is not there."""

_LOT: Final = 16
_DUE: Final = 256
_CLOSELY: Final = 32
_WAITED_FOR: Final = 2.0
_ENDS_WITHIN: Final = 240.0
"""Seconds for which a point that was removed is waited for: it saves what it has."""

_NAMED: Final = re.compile(r"(?:home|news)\.[0-9]+\.tar", re.ASCII)


@dataclass
class _Memory:
    """Of one sweep. ``here``: points of which all there is has come; ``heard``: which news of a
    point; ``missed``: since when it was looked for in vain."""

    here: set[int] = field(default_factory=set)
    heard: dict[int, int] = field(default_factory=dict)
    missed: dict[int, float] = field(default_factory=dict)
    lots: _Lots | None = None


class AwayPoints:
    """Brings points home by ``fetch``."""

    def __init__(self, folders: JobFolders, fetch: Fetch) -> None:
        self._folders = folders
        self._fetch = fetch
        self._memories: dict[JobId, _Memory] = {}

    def forget(self, job: JobId) -> None:
        """The sweep is over, or more of it is handed over."""
        self._memories.pop(job, None)

    def look(
        self,
        job: JobId,
        unfinished: Mapping[int, JobState],
        told: Mapping[int, Element],
        ads: Mapping[int, CondorJob],
    ) -> Collection[int]:
        """Bring news, and home what is over there; the points that are not home yet.

        ``unfinished`` is what the index says; ``told`` and ``ads`` what HTCondor does.
        """
        memory = self._memories.setdefault(job, _Memory())
        begun = [n for n in unfinished if _may_have_begun(unfinished[n], told.get(n))]
        over = {n for n in begun if n not in told or told[n].phase == "over"}
        memory.here.difference_update(set(begun) - over)
        self._hear(memory, told, patience=0.0)
        for number in over:
            if number in ads and not ads[number].starts:
                memory.here.add(number)
        if memory.lots is None:
            due = sorted(over - memory.here)[:_DUE]
            news = {n: ads[n].news for n in begun if n not in over and n in ads and ads[n].news}
            news = {n: at for n, at in news.items() if memory.heard.get(n) != at}
            news = dict(list(news.items())[:_CLOSELY])
            if due or news:
                memory.lots = _Lots(self._folders.job(job), self._fetch, due, news)
                memory.lots.start()
        self._hear(memory, told, patience=_WAITED_FOR)
        return over - memory.here

    def _hear(self, memory: _Memory, told: Mapping[int, Element], patience: float) -> None:
        """Take note of what has come home."""
        lots = memory.lots
        if lots is None:
            return
        lots.join(patience)
        over, now = not lots.is_alive(), time.monotonic()
        memory.here.update(lots.came)
        if not over:
            return
        memory.heard |= lots.heard
        for number in lots.missing:
            # one that was removed may still be saving what it has
            since = memory.missed.setdefault(number, now)
            if number not in told or now - since > _ENDS_WITHIN:
                memory.here.add(number)
        if lots.error is not None:
            _log.info("Points of a sweep cannot be brought home now: %s", lots.error)
        memory.lots = None


class _Lots(threading.Thread):
    """Some points on their way home, lot by lot; it ends with the process, and is begun again."""

    def __init__(
        self, folder: Path, fetch: Fetch, due: Sequence[int], news: Mapping[int, int]
    ) -> None:
        super().__init__(daemon=True, name=f"home-{folder.name}")
        self._folder = folder
        self._fetch = fetch
        self._due = due
        self._news = news
        self.came: tuple[int, ...] = ()
        self.missing: tuple[int, ...] = ()
        self.heard: dict[int, int] = {}
        self.error: MlinfnError | OSError | None = None

    def run(self) -> None:
        """Bring them."""
        try:
            with away.alone(self._folder) as coming:
                for first in range(0, len(self._due), _LOT):
                    self._bring(coming, self._due[first : first + _LOT])
                if self._news:
                    self._tell(coming)
        except (MlinfnError, OSError) as error:
            self.error = error

    def _bring(self, coming: Path, lot: Sequence[int]) -> None:
        self._get(coming, [there.home_file(number) for number in lot])
        for number in lot:
            came = coming / there.home_file(number)
            if there.is_something(came):
                point = self._folder / "points" / str(number)
                ours = (self._folder / "cancel").exists() or (point / "cancel").exists()
                home.take(self._folder, away.as_cancelled(came, self._folder) if ours else came)
                self.came += (number,)
            else:
                self.missing += (number,)
            came.unlink(missing_ok=True)

    def _tell(self, coming: Path) -> None:
        self._get(coming, [there.news_file(number) for number in self._news])
        for number, at in self._news.items():
            came = coming / there.news_file(number)
            if there.is_something(came):
                home.take(self._folder, came)
            came.unlink(missing_ok=True)
            self.heard[number] = at

    def _get(self, coming: Path, names: Sequence[str]) -> None:
        """Fetch those of these files that are there."""
        left = list(names)
        while left:
            for name in left:
                (coming / name).unlink(missing_ok=True)
            try:
                self._fetch(self._folder.name, left)
                return
            except Refused as error:
                named = _NAMED.search(error.text)
                if error.code != "nothing-there":
                    raise
                if named is None or named[0] not in left:
                    break
                left.remove(named[0])
        for name in left:  # one by one where it is not told which of them is missing
            with suppress(Refused):
                self._fetch(self._folder.name, [name])


def _may_have_begun(state: JobState, told: Element | None) -> bool:
    return told is None or told.phase != "waits" or state != "queued"
