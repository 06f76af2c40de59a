"""The policy's promises, searched for by hypothesis: early release, missing or short warnings."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.hub.reclaim.policy import (
    NoKeepsLeft,
    NothingToKeep,
    Rule,
    Sample,
    Track,
    keep,
    release_at,
    standing,
    step,
    together,
)
from jupyter_mlinfn.model.accelerators import SignalState

RULE = Rule(idle=7200, warn=1200, gap=90)


def watched(rule: Rule, *, until: float, track: Track | None = None, start: float = 0.0) -> Track:
    """A session that idles without a break."""
    track = track or Track()
    at = start
    while at <= until:
        track = step(track, Sample(at, "idle"), rule)
        at += 60
    return track


def test_a_session_is_warned_and_then_due() -> None:
    track = watched(RULE, until=5940)
    assert standing(track, 5940, RULE) == "idle"
    track = watched(RULE, until=6000)
    assert standing(track, 6000, RULE) == "warned"
    assert release_at(track, RULE) == 7200
    track = watched(RULE, until=7140)
    assert standing(track, 7199, RULE) == "warned"
    track = watched(RULE, until=7200)
    assert standing(track, 7200, RULE) == "due"


@pytest.mark.parametrize(
    "breaking",
    [
        Sample(7000, "busy"),
        Sample(7000, "unknown"),
        Sample(7000, "idle", batch=True),
        Sample(7150, "idle"),
        Sample(10, "idle"),
    ],
    ids=["busy", "unknown", "batch", "gap", "clock-back"],
)
def test_what_ends_a_warning(breaking: Sample) -> None:
    track = watched(RULE, until=6960)
    track = step(track, breaking, RULE)
    later = breaking.at + 60
    track = watched(RULE, until=later + 5900, track=track, start=later)
    assert standing(track, later + 5900, RULE) == "idle"


def test_nobody_is_released_while_nobody_looks() -> None:
    track = watched(RULE, until=7200)
    assert standing(track, 7291, RULE) == "unknown"
    assert standing(track, 1e9, RULE) == "unknown"
    assert standing(track, 7100, RULE) == "unknown"


def test_while_nobody_waits_a_session_idles_on_and_is_warned_in_full_later() -> None:
    track = Track()
    for at in range(0, 20_000, 60):
        track = step(track, Sample(float(at), "idle"), RULE, contended=False)
    assert standing(track, 19_990, RULE) == "idle"
    track = step(track, Sample(20_000.0, "idle"), RULE, contended=True)
    assert release_at(track, RULE) == 21_200
    track = step(track, Sample(20_060.0, "idle"), RULE, contended=False)
    assert standing(track, 20_060, RULE) == "idle"


def test_keeping_twice_and_not_a_third_time() -> None:
    track = watched(RULE, until=6000)
    for at in (6000.0, 12_000.0):
        track = keep(track, at, RULE)
        assert standing(track, at, RULE) == "idle"
        with pytest.raises(NothingToKeep):
            keep(track, at, RULE)
        track = watched(RULE, until=at + 2340, track=track, start=at)
        assert standing(track, at + 2340, RULE) == "idle"
        track = watched(RULE, until=at + 6000, track=track, start=at + 2400)
        assert release_at(track, RULE) == at + 3600
        assert standing(track, at + 6000, RULE) == "due"
    with pytest.raises(NoKeepsLeft):
        keep(track, 18_000.0, RULE)
    worked = step(track, Sample(18_010.0, "busy"), RULE)
    warned = watched(RULE, until=18_060 + 6000, track=worked, start=18_060)
    assert keep(warned, 18_060 + 6000, RULE).keeps_used == 1


def test_what_was_kept_is_kept_over_a_gap() -> None:
    short = Rule(idle=600, warn=120, gap=90, keep=3600)
    kept = keep(watched(short, until=540), 540, short)
    track = watched(short, until=3000, track=step(kept, Sample(700, "unknown"), short), start=760)
    assert standing(track, 3000, short) == "idle"
    track = watched(short, until=4060, track=track, start=3060)
    assert release_at(track, short) == 4140


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        (["idle", "idle"], "idle"),
        (["idle", "unknown"], "unknown"),
        (["unknown", "busy", "idle"], "busy"),
        ([], "unknown"),
    ],
)
def test_devices_of_one_session_together(states: list[SignalState], wanted: str) -> None:
    assert together((state, None) for state in states)[0] == wanted


@dataclass
class Witness:
    """Sees the same as the policy, and says on its own whether a release is right."""

    rule: Rule
    idle: list[float] = field(default_factory=list)
    warned: list[float] = field(default_factory=list)
    told: float | None = None
    kept: float = float("-inf")
    keeps: int = 0

    def saw(self, sample: Sample, track: Track) -> None:
        follows = not self.idle or 0 <= sample.at - self.idle[-1] <= self.rule.gap
        really_idle = sample.state == "idle" and not sample.batch
        if not (follows and really_idle):
            self.idle, self.warned, self.told = [], [], None
        if really_idle:
            self.idle.append(sample.at)
        if sample.state == "busy" or sample.batch:
            self.keeps = 0
        self.noted(track, sample.at)

    def noted(self, track: Track, now: float) -> None:
        end = release_at(track, self.rule)
        if end is None:
            self.warned, self.told = [], None
            return
        assert self.told is None or end >= self.told, "the end was told later than it is"
        self.told = end
        self.warned.append(now)

    def agree(self, now: float) -> None:
        assert self.idle, "released without being seen idle"
        last = self.idle[-1]
        assert now - last <= self.rule.gap, "released while nobody looked"
        assert last - self.idle[0] >= self.rule.idle, "released before the idle time was over"
        assert self.warned, "released without a warning"
        assert last - self.warned[0] >= self.rule.warn, "the warning was shorter than promised"
        assert now >= self.kept + self.rule.keep, "released although it was kept"
        assert self.told is not None
        assert now >= self.told, "released before the time that was told"


RULES = st.builds(
    Rule,
    idle=st.integers(1, 400).map(float),
    warn=st.integers(0, 300).map(float),
    gap=st.integers(5, 60).map(float),
    keep=st.integers(10, 300).map(float),
    keeps=st.integers(0, 2),
)
IDLE = st.tuples(st.just("idle"), st.integers(1, 30), st.booleans())
EVENTS = st.one_of(
    IDLE,
    IDLE,
    IDLE,
    st.tuples(st.just("many"), st.integers(1, 20), st.integers(1, 60)),
    st.tuples(st.sampled_from(["busy", "unknown", "batch"]), st.integers(0, 30), st.booleans()),
    st.tuples(st.just("gap"), st.integers(5, 500), st.booleans()),
    st.tuples(st.just("back"), st.integers(1, 500), st.booleans()),
    st.tuples(st.just("keep"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("ask"), st.integers(0, 90), st.booleans()),
)


@settings(max_examples=400, deadline=None)
@given(rule=RULES, events=st.lists(EVENTS, max_size=60))
@example(rule=Rule(20, 30, 10, 40), events=[("many", 9, 30), ("keep", 0, True), ("many", 9, 30)])
def test_never_released_early_or_unwarned(
    rule: Rule, events: list[tuple[str, int, int | bool]]
) -> None:
    track, witness, now = Track(), Witness(rule), 1000.0
    for kind, seconds, more in events:
        if kind in ("idle", "busy", "unknown", "batch", "many"):
            for _ in range(int(more) if kind == "many" else 1):
                now += seconds
                state: SignalState = "idle" if kind in ("idle", "many", "batch") else kind  # type: ignore[assignment]
                sample = Sample(now, state, batch=kind == "batch")
                contended = kind != "idle" or bool(more)
                track = step(track, sample, rule, contended=contended)
                witness.saw(sample, track)
                if standing(track, now, rule) == "due":
                    witness.agree(now)
        elif kind == "gap":
            now += seconds
        elif kind == "back":
            sample = Sample(now - seconds, "idle")
            track = step(track, sample, rule)
            witness.saw(sample, track)
            now = sample.at
        elif kind == "keep":
            before = track.keeps_used
            try:
                track = keep(track, now, rule)
            except (NothingToKeep, NoKeepsLeft):
                assert track.keeps_used == before
            else:
                witness.kept, witness.keeps = now, witness.keeps + 1
                assert witness.keeps <= rule.keeps
                witness.noted(track, now)
        elif standing(track, now + seconds, rule) == "due":
            witness.agree(now + seconds)


@settings(max_examples=100, deadline=None)
@given(rule=RULES, pace=st.integers(1, 5))
def test_a_session_that_only_idles_is_released_in_the_end(rule: Rule, pace: int) -> None:
    track, at = Track(), 0.0
    while standing(track, at, rule) != "due":
        at += pace
        track = step(track, Sample(at, "idle"), rule)
        assert at <= rule.idle + rule.warn + 3 * pace
