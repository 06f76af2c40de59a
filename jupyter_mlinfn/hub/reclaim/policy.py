"""When a session that only holds its accelerators is warned, and when it is released. Pure.

A session is idle as long as every sample of it says so, one after the other without a gap.
Busy, unknown and silence all end that stretch. It may be released when the stretch is as long as
the rule says **and** a warning has stood for as long as the rule promises; whoever asks must ask
while the samples are fresh. All times are seconds of a clock that only grows, so that a change
of the wall clock moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isinf
from typing import Literal

from jupyter_mlinfn.model.accelerators import SignalState

Standing = Literal["unknown", "busy", "idle", "warned", "due"]


@dataclass(frozen=True)
class Rule:
    """Seconds: ``idle`` until release (infinity: never), of these ``warn`` with a warning.

    ``gap``: two samples further apart say nothing of the time between them. ``keep``: how long
    one keep lasts, ``keeps`` how many there are until the accelerators work again.
    """

    idle: float
    warn: float
    gap: float = 90.0
    keep: float = 3600.0
    keeps: int = 2


@dataclass(frozen=True)
class Sample:
    """What one look at a session's devices said: the state of all of them together."""

    at: float
    state: SignalState
    measurement: str | None = None
    batch: bool = False


@dataclass(frozen=True)
class Track:
    """What is remembered of a session from sample to sample.

    ``idle_from``: since when it idles; ``warned_from``: since when it is told so;
    ``quiet_until``: no warning before this, because it was kept.
    """

    last: Sample | None = None
    idle_from: float | None = None
    warned_from: float | None = None
    quiet_until: float | None = None
    keeps_used: int = 0


class NothingToKeep(Exception):
    """No warning stands."""


class NoKeepsLeft(Exception):
    """All keeps of this idle time are used."""


def together(states: Iterable[tuple[SignalState, str | None]]) -> tuple[SignalState, str | None]:
    """Of several devices of one session: one that works is enough; one unknown forbids idle."""
    found = list(states)
    for wanted in ("busy", "unknown"):
        for state, measurement in found:
            if state == wanted:
                return state, measurement
    return found[0] if found else ("unknown", None)


def step(track: Track, sample: Sample, rule: Rule, *, contended: bool = True) -> Track:
    """``track`` after one more sample. ``contended``: somebody may want the accelerator.

    While nobody does no warning is given, and one that stands is taken back.
    """
    track = _of_one_stretch(track, sample, rule)
    if sample.state == "busy" or sample.batch:
        return replace(_promises(track), last=sample, keeps_used=0)
    if sample.state != "idle":
        return replace(_promises(track), last=sample)
    idle_from = sample.at if track.idle_from is None else track.idle_from
    track = replace(track, last=sample, idle_from=idle_from)
    if not contended:
        return replace(track, warned_from=None)
    if track.warned_from is None and sample.at >= _warn_at(track, rule):
        return replace(track, warned_from=sample.at)
    return track


def _of_one_stretch(track: Track, sample: Sample, rule: Rule) -> Track:
    """``track`` when ``sample`` follows its last one closely, else what outlives a gap."""
    if track.last is None or 0 <= sample.at - track.last.at <= rule.gap:
        return track
    return _promises(track)


def _promises(track: Track) -> Track:
    """What outlives the stretch: what was kept is kept, and how often it was."""
    return replace(track, idle_from=None, warned_from=None)


def _warn_at(track: Track, rule: Rule) -> float:
    assert track.idle_from is not None
    first = track.idle_from + max(0.0, rule.idle - rule.warn)
    return max(first, track.quiet_until if track.quiet_until is not None else first)


def release_at(track: Track, rule: Rule) -> float | None:
    """When a warned session is released; ``None`` while no warning stands, or without a limit."""
    if track.idle_from is None or track.warned_from is None or isinf(rule.idle):
        return None
    return max(track.idle_from + rule.idle, track.warned_from + rule.warn)


def standing(track: Track, now: float, rule: Rule) -> Standing:
    """How a session stands at ``now``. ``due``: it may be released now.

    A session that was not looked at within ``rule.gap`` is ``unknown``.
    """
    last = track.last
    if last is None or not 0 <= now - last.at <= rule.gap:
        return "unknown"
    if last.state == "busy" or last.batch:
        return "busy"
    if track.idle_from is None:
        return "unknown"
    end = release_at(track, rule)
    if end is None:
        return "idle"
    # The stretch ends with the last sample: what came after it nobody saw.
    return "due" if last.at >= end else "warned"


def keep(track: Track, now: float, rule: Rule) -> Track:
    """``track`` after the person said that she still needs it.

    The warning goes, and comes back ``warn`` before the kept time is over (in its second half
    where ``warn`` is longer than that), so nothing is released sooner. Raises
    :class:`NothingToKeep` and :class:`NoKeepsLeft`.
    """
    if standing(track, now, rule) not in ("warned", "due"):
        raise NothingToKeep
    if track.keeps_used >= rule.keeps:
        raise NoKeepsLeft
    return replace(
        track,
        warned_from=None,
        quiet_until=now + rule.keep - min(rule.warn, rule.keep / 2),
        keeps_used=track.keeps_used + 1,
    )
