"""Half an hour in which a batch system says nothing that can be read, in seconds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest

from jupyter_mlinfn.jobs import reconciler
from jupyter_mlinfn.jobs.backends import endings, remembering, shared_folder
from jupyter_mlinfn.jobs.sweeps import following
from jupyter_mlinfn.model.jobs import JobRecord
from tests.jobs.backends.desk import Desk

HALF_AN_HOUR = 1800.0
LOOK_EVERY = 10.0
LONGEST_PAUSE = 60.0


class Clock:
    """The time as those see it who ask a system: the real one, put forward by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        for module in (reconciler, shared_folder, endings, following, remembering):
            monkeypatch.setattr(module, "time", self)
        clock = self

        class Later(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return datetime.now(tz) + timedelta(seconds=clock.ahead)

        monkeypatch.setattr(reconciler, "datetime", Later)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@dataclass
class Silence:
    """What was seen while it lasted: when the system was asked, in seconds from its beginning."""

    desk: Desk
    clock: Clock
    asked: Callable[[], int]
    asked_at: list[float] = field(default_factory=list)

    def last(
        self, states: Mapping[str, str], kinds: Sequence[Callable[[], None]]
    ) -> dict[str, JobRecord]:
        """Half an hour, each of ``kinds`` as long as the others; no job may leave its state.

        The records at its end.
        """
        began, each = self.clock.ahead, HALF_AN_HOUR / len(kinds)
        for number, begin in enumerate(kinds):
            begin()
            while self.clock.ahead < began + (number + 1) * each:
                self._look(states, self.clock.ahead - began)
        seen = {job: self.desk.bench.store.get(job) for job in states}
        for record in seen.values():
            assert record.unknown_since is not None
            age = datetime.now(record.unknown_since.tzinfo) - record.unknown_since
            assert age.total_seconds() + self.clock.ahead > HALF_AN_HOUR - LONGEST_PAUSE
        return seen

    def _look(self, states: Mapping[str, str], at: float) -> None:
        before = self.asked()
        self.desk.bench.reconciler.run_once()
        if self.asked() > before:
            self.asked_at.append(at)
        for job, state in states.items():
            assert self.desk.bench.store.get(job).state == state
        self.clock.ahead += LOOK_EVERY

    def until_broken(self, jobs: Sequence[str]) -> None:
        """The system speaks again: at the next question, a minute later at most, all is known."""
        until = time.monotonic() + 60
        while any(self.desk.bench.store.get(job).unknown_since for job in jobs):
            assert time.monotonic() < until
            self.clock.ahead += LONGEST_PAUSE
            self.desk.bench.reconciler.run_once()

    def assert_backs_off(self) -> None:
        """It was asked again and again, less and less often, and at least once a minute."""
        pauses = [later - sooner for sooner, later in itertools.pairwise(self.asked_at)]
        assert len(self.asked_at) >= 10
        assert max(pauses) <= LONGEST_PAUSE + 2 * LOOK_EVERY
        assert pauses[-1] >= LONGEST_PAUSE - LOOK_EVERY
        assert max(pauses[:4]) < LONGEST_PAUSE


def until_known(desk: Desk, job: str) -> None:
    """Wait until the system has spoken of the job."""
    until = time.monotonic() + 60
    while (seen := desk.look(job)).unknown_since is not None or seen.reason is None:
        assert time.monotonic() < until, seen
        time.sleep(0.2)


def counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the desk's system was asked about all its jobs."""
    kind, asked = type(desk.bench.backends[desk.backend]), []
    words = kind._words  # type: ignore[attr-defined]

    def count(*told: Any) -> Any:
        asked.append(told)
        return words(*told)

    monkeypatch.setattr(kind, "_words", count)
    return lambda: len(asked)
