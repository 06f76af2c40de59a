"""An answer that is kept for a moment, and silence that is."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.jobs.backends.remembering import Remembered
from jupyter_mlinfn.model.errors import Unavailable


class System:
    """Counts how often it is asked; ``silent``: it does not answer."""

    def __init__(self) -> None:
        self.asked = 0
        self.silent = False
        self.now = 100.0

    def answer(self) -> int:
        self.asked += 1
        if self.silent:
            raise Unavailable("It sleeps.", code="sleeps")
        return self.asked


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    """One whose clock stands still unless it is moved."""
    made = System()
    monkeypatch.setattr("jupyter_mlinfn.jobs.backends.remembering.time.monotonic", lambda: made.now)
    return made


def test_an_answer_is_asked_for_again_when_it_is_old(system: System) -> None:
    kept = Remembered(system.answer, "silent")
    assert [kept.get(), kept.get()] == [1, 1]
    system.now += 11
    assert kept.get() == 2


def test_a_silent_system_is_left_alone_for_a_while(system: System) -> None:
    kept = Remembered(system.answer, "silent")
    system.silent = True
    with pytest.raises(Unavailable) as first:
        kept.get()
    with pytest.raises(Unavailable) as second:
        kept.get()
    assert (first.value.code, second.value.code, system.asked) == ("sleeps", "silent", 1)
    assert second.value.text == "It sleeps."
    assert kept.get_or(7) == 7
    system.silent, system.now = False, system.now + 6
    assert kept.get_or(7) == 2


def test_what_was_told_before_the_silence_counts_until_it_is_old(system: System) -> None:
    kept = Remembered(system.answer, "silent")
    assert kept.get() == 1
    system.silent, system.now = True, system.now + 9
    assert kept.get() == 1
    system.now += 2
    with pytest.raises(Unavailable):
        kept.get()
