"""What is known of every session: its leases, its limits, its samples; what follows from them.

Samples are by device; a device's open lease says whose session it is. Everything here runs on one
thread and does no I/O but the journal's. ``now`` is always a clock that only grows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from jupyter_mlinfn.hub.reclaim import policy
from jupyter_mlinfn.hub.reclaim.ages import Ages
from jupyter_mlinfn.hub.reclaim.journal import Decided, Entry, Journal, Seen
from jupyter_mlinfn.hub.reclaim.policy import Rule, Sample, Standing, Track
from jupyter_mlinfn.hub.reclaim.samples import DeviceSample, HostSample
from jupyter_mlinfn.hub.reclaim.sessions import SessionFacts
from jupyter_mlinfn.hub.reclaim.settings import ReclaimSettings
from jupyter_mlinfn.hub.reclaim.verdicts import Verdict, VerdictRequest, decide, verdict
from jupyter_mlinfn.model.accelerators import SignalState
from jupyter_mlinfn.model.errors import Conflict, Unavailable
from jupyter_mlinfn.model.leases import Lease, PoolState
from jupyter_mlinfn.model.plans import Limits
from jupyter_mlinfn.model.sessions import HubSession, IdleWarning, SessionDevice

Key: TypeAlias = tuple[str, str]
"""User and server."""

REMEMBERED = 64
"""Changes of what samples said that are kept for the journal, of each session."""


@dataclass
class _Session:
    """A session with leases, and what is remembered of it."""

    leases: tuple[Lease, ...]
    track: Track = field(default_factory=Track)
    seen: list[Seen] = field(default_factory=list)

    @property
    def uuids(self) -> tuple[str, ...]:
        return tuple(one.device.uuid for one in self.leases)


class Watch:
    """All sessions of a hub."""

    def __init__(self, settings: ReclaimSettings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        self._sessions: dict[Key, _Session] = {}
        self._facts: Mapping[Key, SessionFacts] = {}
        self._pools: dict[str, PoolState] = {}
        self._refused: dict[str, float] = {}
        self._known_at = float("-inf")
        self._told: dict[Key, tuple[str, datetime | None]] = {}
        self._devices: dict[str, tuple[float, DeviceSample]] = {}
        self._batch: dict[str, frozenset[str]] = {}
        self._inactive, self._age = Ages(), Ages()

    def know(
        self,
        leases: Iterable[Lease],
        pools: Iterable[PoolState],
        facts: Mapping[Key, SessionFacts],
        now: float,
    ) -> None:
        """The open leases, what is free, and the running sessions, as they are now.

        A session that got another lease begins anew; those that ended are forgotten.
        """
        held: dict[Key, list[Lease]] = {}
        for one in leases:
            held.setdefault((one.user, one.server), []).append(one)
        before, self._sessions = self._sessions, {}
        for key, found in held.items():
            known = before.get(key)
            same = known and [one.id for one in known.leases] == [one.id for one in found]
            self._sessions[key] = known if known and same else _Session(tuple(found))
            self._sessions[key].leases = tuple(found)
        self._note_pools(pools, now)
        self._facts = facts
        self._known_at = now
        self._told = {key: why for key, why in self._told.items() if key in facts}
        for ages in (self._inactive, self._age):
            ages.forget_all_but(facts)

    def _note_pools(self, pools: Iterable[PoolState], now: float) -> None:
        """What is free now, and where somebody was refused since the last look."""
        before, self._pools = self._pools, {one.pool: one for one in pools}
        for name, state in self._pools.items():
            if name in before and state.refused > before[name].refused:
                self._refused[name] = now

    def saw(self, sample: HostSample, now: float) -> None:
        """One more sample of a host: every session with a device there has one more, too."""
        self._batch[sample.host] = frozenset(sample.batch_containers)
        looked = {one.uuid: (now, one) for one in sample.devices}
        fresh = {
            uuid: one for uuid, one in self._devices.items() if now - one[0] <= self._settings.gap
        }
        self._devices = fresh | looked
        for key, session in self._sessions.items():
            if not looked.keys().isdisjoint(session.uuids):
                self._step(key, session, now)

    def pools(self, now: float) -> tuple[PoolState, ...]:
        """What is free. Raises :class:`Unavailable` (``leases-silent``)."""
        if now - self._known_at > self._settings.gap:
            raise Unavailable(
                "The hub's list of leases cannot be read for now. Nothing is ended meanwhile.",
                code="leases-silent",
            )
        return tuple(self._pools.values())

    def session(self, key: Key, now: float) -> HubSession:
        """What a session is told of itself. In a dry run it is not warned."""
        told = HubSession(user=key[0], server=key[1], asked_at=datetime.now(UTC))
        session = self._sessions.get(key)
        if session is None:
            return told
        rule, track = self._rule(key), session.track
        standing = self._standing(session, rule, now)
        state, measurement = self._said(session, now)
        return told.model_copy(
            update={
                "devices": tuple(_device(one) for one in session.leases),
                "until": max((one.until for one in session.leases if one.until), default=None),
                "state": "busy" if standing == "busy" else state,
                "measurement": measurement,
                "idle_since": _wall(track.idle_from, now) if standing != "unknown" else None,
                "warning": self._warning(track, standing, rule, now),
                "keeps_left": max(0, rule.keeps - track.keeps_used),
                "keep_seconds": self._settings.keep,
            }
        )

    def keep(self, key: Key, now: float) -> HubSession:
        """The person still needs it. Raises :class:`Conflict` (``nothing-to-keep``,
        ``no-keeps-left``)."""
        session, rule = self._sessions.get(key), self._rule(key)
        try:
            if session is None or self._settings.dry_run:
                raise policy.NothingToKeep
            session.track = policy.keep(session.track, now, rule)
        except policy.NothingToKeep as error:
            raise Conflict(
                "Nothing is to be released, so there is nothing to keep.", code="nothing-to-keep"
            ) from error
        except policy.NoKeepsLeft as error:
            raise Conflict(
                f"You have kept it {rule.keeps} times while it was idle. Use it, or save your "
                "work: it is released at the time that was told.",
                code="no-keeps-left",
            ) from error
        self._write(key, session, "keep", "the person asked for it", now)
        return self.session(key, now)

    def verdict(self, asked: VerdictRequest, now: float) -> Verdict:
        """Whether the culler is to end a session."""
        key = (asked.user, asked.server)
        session, facts = self._sessions.get(key), self._facts.get(key)
        rule = self._rule(key)
        standing = None if session is None else self._standing(session, rule, now)
        if standing == "due" and asked.age is not None and asked.age < rule.idle:
            standing = "unknown"  # it began a moment ago: what was seen is of the one before it
        answer = verdict(
            decide(
                facts.limits if facts else None,
                standing,
                batch=self._works_in_batch(session, facts),
                inactive=_true(self._inactive, key, asked.inactive, now),
                age=_true(self._age, key, asked.age, now),
            ),
            dry_run=self._settings.dry_run,
        )
        told = (answer.reason, facts.started if facts else None)
        if answer.ends and self._told.get(key) != told:
            self._told[key] = told
            self._write(key, session or _Session(()), "cull", answer.reason, now)
        return answer

    def _works_in_batch(self, session: _Session | None, facts: SessionFacts | None) -> bool:
        last = session.track.last if session else None
        here = facts.container if facts else None
        return (last is not None and last.batch) or self._has_batch(here)

    def _step(self, key: Key, session: _Session, now: float) -> None:
        state, measurement = self._said(session, now)
        sample = Sample(now, state, measurement, batch=self._batch_step(session))
        before, rule = session.track, self._rule(key)
        session.track = policy.step(before, sample, rule, contended=self._contended(session, now))
        _remember(session.seen, sample)
        if before.warned_from is None and session.track.warned_from is not None:
            self._write(key, session, "warn", "idle", now)
        if before.warned_from is not None and session.track.warned_from != before.warned_from:
            why = sample.state if sample.state != "idle" else "not looked at, or nobody waits"
            self._write(key, session, "withdraw", "batch" if sample.batch else why, now)
        due = policy.standing(session.track, now, rule) == "due"
        if due and policy.standing(before, before.last.at if before.last else now, rule) != "due":
            self._write(key, session, "release", "idle, and warned", now)

    def _standing(self, session: _Session, rule: Rule, now: float) -> Standing:
        """How it stands; unknown while nobody knows whose the devices are."""
        if now - self._known_at > self._settings.gap:
            return "unknown"
        return policy.standing(session.track, now, rule)

    def _said(self, session: _Session, now: float) -> tuple[SignalState, str | None]:
        """The state of all devices of a session; one that is not looked at any more is unknown."""
        found = [self._devices.get(uuid) for uuid in session.uuids]
        return policy.together(
            (one[1].state, one[1].measurement)
            if one and now - one[0] <= self._settings.gap
            else ("unknown", None)
            for one in found
        )

    def _batch_step(self, session: _Session) -> bool:
        """Whether a batch step holds one of its devices, or lives in its container."""
        here = {one.container for one in session.leases if one.container}
        return any(self._has_batch(one) for one in here) or any(
            occupant.batch and (occupant.id is None or not here or occupant.id in here)
            for uuid in session.uuids
            if uuid in self._devices
            for occupant in self._devices[uuid][1].containers
        )

    def _has_batch(self, container: str | None) -> bool:
        return container is not None and any(container in found for found in self._batch.values())

    def _contended(self, session: _Session, now: float) -> bool:
        """Whether somebody wants one of its devices, and does not get any of their kind."""
        if self._settings.when == "always":
            return True
        return any(self._is_wanted(one.device.pool, now) for one in session.leases)

    def _is_wanted(self, pool: str, now: float) -> bool:
        state = self._pools.get(pool)
        if state is None:
            return False
        recent = now - self._refused.get(pool, -math.inf) <= self._settings.wanted
        return state.waiting > state.free or (recent and not state.free)

    def _rule(self, key: Key) -> Rule:
        facts = self._facts.get(key)
        return self._settings.rule(facts.limits if facts else Limits())

    def _warning(
        self, track: Track, standing: Standing, rule: Rule, now: float
    ) -> IdleWarning | None:
        end = policy.release_at(track, rule)
        if self._settings.dry_run or standing not in ("warned", "due") or end is None:
            return None
        assert track.idle_from is not None
        return IdleWarning(since=_moment(track.idle_from, now), release_at=_moment(end, now))

    def _write(self, key: Key, session: _Session, decision: Decided, why: str, now: float) -> None:
        end = policy.release_at(session.track, self._rule(key))
        idle_from = session.track.idle_from
        self._journal.write(
            Entry(
                time=datetime.now(UTC),
                user=key[0],
                server=key[1],
                decision=decision,
                why=why,
                dry_run=self._settings.dry_run,
                devices=session.uuids,
                idle_seconds=None if idle_from is None else now - idle_from,
                release_in=None if end is None else end - now,
                samples=tuple(session.seen),
            )
        )


def _remember(seen: list[Seen], sample: Sample) -> None:
    """Samples that say the same are one entry, so that hours of them are a line."""
    said = (sample.state, sample.measurement, sample.batch)
    last = seen[-1] if seen else None
    if last and (last.state, last.measurement, last.batch) == said:
        seen[-1] = last.model_copy(update={"last": sample.at, "count": last.count + 1})
        return
    seen.append(
        Seen(
            first=sample.at,
            last=sample.at,
            count=1,
            state=sample.state,
            measurement=sample.measurement,
            batch=sample.batch,
        )
    )
    del seen[:-REMEMBERED]


def _device(lease: Lease) -> SessionDevice:
    one = lease.device
    return SessionDevice(uuid=one.uuid, pool=one.pool, model=one.model, mig=one.mig)


def _true(ages: Ages, key: Key, told: float | None, now: float) -> float | None:
    return None if told is None else ages.true(key, told, now)


def _moment(at: float, now: float) -> datetime:
    """The wall clock's time of ``at``."""
    return datetime.now(UTC) + timedelta(seconds=at - now)


def _wall(at: float | None, now: float) -> datetime | None:
    return None if at is None else _moment(at, now)
