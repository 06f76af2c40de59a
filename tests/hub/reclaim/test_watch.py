"""From samples and leases to warnings, verdicts and what is written down."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.hub.reclaim.journal import Entry, Journal
from jupyter_mlinfn.hub.reclaim.samples import DeviceSample, HostSample, Occupant
from jupyter_mlinfn.hub.reclaim.sessions import SessionFacts, Sessions
from jupyter_mlinfn.hub.reclaim.settings import ReclaimSettings
from jupyter_mlinfn.hub.reclaim.verdicts import Verdict, VerdictRequest
from jupyter_mlinfn.hub.reclaim.watch import Watch
from jupyter_mlinfn.model.accelerators import SignalState
from jupyter_mlinfn.model.errors import Conflict, Unavailable
from jupyter_mlinfn.model.leases import Device, Lease, PoolState
from jupyter_mlinfn.model.plans import Limits

ADA = ("ada", "")
HERE, THERE = "c" * 64, "d" * 64
LIMITS = Limits(longest=50_000, idle=3600, gpu_idle=7200, warn=1200)


def lease(number: int = 0, user: str = "ada", **more: Any) -> Lease:
    device = Device(uuid=f"MIG-{number}", pool="mig-1g10", host="gpu7", model="A100", mig="1g.10gb")
    given = {
        "id": f"lease-{number}",
        "device": device,
        "user": user,
        "acquired": datetime.now(UTC),
        "container": HERE,
    }
    return Lease.model_validate(given | more)


def facts(user: str = "ada", limits: Limits = LIMITS, **more: Any) -> SessionFacts:
    return SessionFacts(
        user=user, profile="gpu-small", started=datetime.now(UTC), limits=limits, **more
    )


class Site:
    """A watch, a clock, one slice of Ada's (unless said otherwise) and what samples say of it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.file = folder / "decisions.jsonl"
        self.watch = Watch(
            ReclaimSettings.model_validate({"dry_run": False} | settings), Journal(self.file)
        )
        self.now = 1000.0
        self.leases: tuple[Lease, ...] = (lease(),)
        self.facts = {ADA: facts()}
        self.free, self.waiting, self.refused = 0, 0, 0

    def know(self) -> None:
        told = {"free": self.free, "waiting": self.waiting, "refused": self.refused}
        pools = (PoolState.model_validate({"pool": "mig-1g10", "total": 7, **told}),)
        self.watch.know(self.leases, pools, self.facts, self.now)

    def see(
        self,
        *states: SignalState,
        occupants: tuple[Occupant, ...] = (),
        batch: tuple[str, ...] = (),
    ) -> None:
        devices = tuple(
            DeviceSample(uuid=f"MIG-{at}", state=one, measurement="gpm", containers=occupants)
            for at, one in enumerate(states)
        )
        sample = HostSample(
            host="gpu7",
            boot="b",
            at=self.now,
            time=datetime.now(UTC),
            devices=devices,
            batch_containers=batch,
        )
        self.watch.saw(sample, self.now)

    def idle(self, seconds: float, *states: SignalState, **more: Any) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 60
            self.know()
            self.see(*(states or ("idle",)), **more)

    def asks(self, inactive: float | None = 10, age: float | None = 40_000) -> Verdict:
        return self.watch.verdict(VerdictRequest(user="ada", inactive=inactive, age=age), self.now)

    def decisions(self) -> list[Entry]:
        if not self.file.exists():
            return []
        lines = self.file.read_text(encoding="utf-8").splitlines()
        return [Entry.model_validate(json.loads(line)) for line in lines]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_warned_kept_and_released(site: Site) -> None:
    site.idle(6000)
    told = site.watch.session(ADA, site.now)
    assert (told.state, told.warning, told.keeps_left) == ("idle", None, 2)
    site.idle(60)
    told = site.watch.session(ADA, site.now)
    assert told.warning is not None
    assert told.devices[0].mig == "1g.10gb"
    left = (told.warning.release_at - datetime.now(UTC)).total_seconds()
    assert 1190 < left <= 1200
    assert site.asks().reason == "in-use"
    kept = site.watch.keep(ADA, site.now)
    assert (kept.warning, kept.keeps_left) == (None, 1)
    with pytest.raises(Conflict, match="nothing to keep"):
        site.watch.keep(ADA, site.now)
    site.idle(3540)
    assert not site.asks().cull
    site.idle(60)
    assert site.asks() == site.asks()
    assert site.asks().reason == "gpu-idle"
    assert site.asks().cull
    assert [one.decision for one in site.decisions()] == [
        "warn", "keep", "warn", "release", "cull",
    ]  # fmt: skip
    last = site.decisions()[-1]
    assert last.devices == ("MIG-0",)
    assert last.samples[-1].state == "idle"
    assert last.samples[-1].measurement == "gpm"
    assert last.idle_seconds is not None
    assert last.idle_seconds >= 7200


@pytest.mark.parametrize("state", ["busy", "unknown"])
def test_work_and_silence_take_a_warning_back(site: Site, state: SignalState) -> None:
    site.idle(6600)
    site.idle(60, state)
    assert site.watch.session(ADA, site.now).warning is None
    assert site.watch.session(ADA, site.now).state == state
    site.idle(6000)
    assert site.asks().reason == "in-use"
    assert [(one.decision, one.why) for one in site.decisions()][:2] == [
        ("warn", "idle"),
        ("withdraw", state),
    ]


def test_nothing_is_warned_or_ended_in_a_dry_run(tmp_path: Path) -> None:
    site = Site(tmp_path, dry_run=True)
    site.idle(8000)
    assert site.watch.session(ADA, site.now).warning is None
    with pytest.raises(Conflict):
        site.watch.keep(ADA, site.now)
    answer = site.asks()
    assert (answer.cull, answer.reason, answer.dry_run) == (False, "gpu-idle", True)
    assert all(one.dry_run for one in site.decisions())
    assert [one.decision for one in site.decisions()] == ["warn", "release", "cull"]


def test_a_batch_step_counts_as_work(site: Site) -> None:
    site.idle(8000, "idle", batch=(HERE,))
    assert site.watch.session(ADA, site.now).state == "busy"
    assert site.asks(inactive=9000).reason == "batch"
    site.idle(8000, "idle", batch=(THERE,))
    assert site.asks().reason == "gpu-idle"


def test_a_batch_step_that_holds_the_device_counts_in_its_own_container(site: Site) -> None:
    site.idle(8000, "idle", occupants=(Occupant(id=HERE, pids=(7,), batch=True),))
    assert site.asks(inactive=9000).reason == "batch"
    site.idle(8000, "idle", occupants=(Occupant(id=THERE, pids=(7,), batch=True),))
    assert site.asks().reason == "gpu-idle"


def test_all_devices_of_a_session_must_idle(site: Site) -> None:
    site.leases = (lease(0), lease(1))
    site.idle(8000, "idle", "busy")
    assert site.asks().reason == "in-use"
    site.idle(8000, "idle")  # of the second nothing is said any more
    assert site.watch.session(ADA, site.now).state == "unknown"
    site.idle(8000, "idle", "idle")
    assert site.asks().reason == "gpu-idle"


def test_another_lease_begins_anew(site: Site) -> None:
    site.idle(8000)
    site.leases = (lease(0, id="lease-9"),)
    site.idle(60)
    assert site.asks().reason == "in-use"


def test_a_session_that_just_began_is_not_ended_for_the_one_before(site: Site) -> None:
    """Between its start and the next look at the leases."""
    site.idle(8000)
    assert site.asks(age=30).reason == "in-use"
    assert not site.asks(inactive=3700, age=30).cull


def test_nothing_is_decided_while_the_leases_or_the_samples_are_silent(site: Site) -> None:
    site.idle(8000)
    for _ in range(3):
        site.now += 60
        site.see("idle")
    assert site.asks(inactive=10).reason == "in-use"
    with pytest.raises(Unavailable):
        site.watch.pools(site.now)
    site.know()
    assert site.asks().reason == "gpu-idle"
    for _ in range(2):
        site.now += 60
        site.know()
    assert not site.asks().cull
    assert site.watch.session(ADA, site.now).state == "unknown"


def test_only_while_somebody_may_want_it(tmp_path: Path) -> None:
    site = Site(tmp_path, when="contended", wanted=900)
    site.refused = 3  # long ago
    for site.free, site.waiting in ((1, 0), (0, 0), (2, 2)):
        site.idle(10_000)
        assert site.watch.session(ADA, site.now).warning is None
        assert not site.asks().cull
    site.free, site.waiting = 0, 1
    site.idle(1200)
    assert not site.asks().cull
    site.idle(60)
    assert site.asks().cull


def test_a_refusal_is_somebody_who_wants_one_for_a_while(tmp_path: Path) -> None:
    site = Site(tmp_path, when="contended", wanted=900)
    site.free = 0
    site.idle(10_000)

    def is_warned() -> bool:
        return site.watch.session(ADA, site.now).warning is not None

    assert not is_warned()
    site.refused += 1
    site.idle(900)
    assert is_warned()
    site.idle(120)
    assert not is_warned()
    assert [one.decision for one in site.decisions()] == ["warn", "withdraw"]
    site.refused += 1
    site.idle(60)
    assert is_warned()
    site.free = 1  # whoever was refused can have this one
    site.idle(60)
    assert not is_warned()


@pytest.mark.parametrize(
    ("limits", "leased", "state", "inactive", "age", "reason"),
    [
        (LIMITS, False, "idle", 3600, 10, "inactive"),
        (LIMITS, False, "idle", 3599, 10, "in-use"),
        (LIMITS, False, "idle", None, None, "in-use"),
        (LIMITS, True, "idle", 3600, 40_000, "inactive"),
        (LIMITS, True, "busy", 9999, 40_000, "gpu-busy"),
        (LIMITS, True, "unknown", 9999, 40_000, "gpu-unknown"),
        (LIMITS, True, "busy", 0, 50_000, "too-long"),
        (Limits(), True, "idle", 10**9, 10**9, "in-use"),
        (None, True, "idle", 10**9, 10**9, "no-limit"),
    ],
)
def test_limits_of_use(
    site: Site,
    limits: Limits | None,
    leased: bool,
    state: SignalState,
    inactive: float | None,
    age: float | None,
    reason: str,
) -> None:
    site.facts = {} if limits is None else {ADA: facts(limits=limits)}
    site.leases = (lease(),) if leased else ()
    site.idle(120, state)
    assert site.asks(inactive, age).reason == reason


def test_a_session_without_a_device_is_kept_for_its_batch_step(site: Site) -> None:
    site.leases, site.facts = (), {ADA: facts(container=HERE)}
    site.idle(60, "idle", batch=(HERE,))
    assert site.asks(inactive=9999).reason == "batch"
    told = site.watch.session(ADA, site.now)
    assert (told.devices, told.state) == ((), None)


def test_a_wall_clock_that_jumps_ends_nobody(site: Site) -> None:
    site.leases = ()
    site.idle(60)
    assert site.asks(inactive=600, age=1000).reason == "in-use"
    site.idle(60)
    assert site.asks(inactive=600 + 60 + 3600, age=1000 + 60 + 86_400).reason == "in-use"


def test_limits_that_vanish_end_nobody(site: Site) -> None:
    site.idle(8000)
    site.facts = {}
    site.idle(60)
    assert site.watch.session(ADA, site.now).warning is None
    assert site.asks().reason == "no-limit"


def test_sessions_are_told_by_files_that_hold_no_name(tmp_path: Path) -> None:
    told = Sessions(tmp_path / "sessions")
    assert told.all() == {}
    odd = facts(user="../../etc/passwd\n")
    told.tell(odd)
    told.tell(facts())
    told.tell(facts(limits=Limits(idle=7)))
    reader = Sessions(tmp_path / "sessions")
    assert reader.all()[ADA].limits.idle == 7
    assert reader.all()[(odd.user, "")] == odd
    files = list((tmp_path / "sessions").iterdir())
    assert len(files) == 2
    assert {one.stat().st_mode & 0o777 for one in files} == {0o600}
    told.forget("ada")
    told.forget("ada")
    (tmp_path / "sessions" / "half.json").write_text("{", encoding="utf-8")
    assert reader.all().keys() == {(odd.user, "")}


def test_the_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "state" / "decisions.jsonl"
    journal = Journal(file, largest=400, files=3)
    for number in range(40):
        journal.write(
            Entry(
                time=datetime.now(UTC) + timedelta(seconds=number),
                user=f"user-{number}",
                server="",
                decision="warn",
                why="idle",
                dry_run=True,
            )
        )
    names = sorted(one.name for one in file.parent.iterdir())
    assert names == ["decisions.jsonl", "decisions.jsonl.1", "decisions.jsonl.2"]
    assert "user-39" in file.read_text(encoding="utf-8")
    younger = (file.parent / "decisions.jsonl.1").read_text(encoding="utf-8")
    older = (file.parent / "decisions.jsonl.2").read_text(encoding="utf-8")
    assert older.count("\n") > 0
    assert int(older.split("user-")[1].split('"')[0]) < int(younger.split("user-")[1].split('"')[0])
