"""The hub's round knows what is being started, and the hub knows whom the culler ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from jupyterhub.spawner import Spawner

from jupyter_mlinfn.database.opening import open_database
from jupyter_mlinfn.hub.desk import Desk
from jupyter_mlinfn.hub.reclaim.journal import Decided, Entry, Journal
from jupyter_mlinfn.hub.reclaim.sessions import SessionFacts, Sessions
from jupyter_mlinfn.hub.spawning import PlannedSpawner
from jupyter_mlinfn.hub.tending import Round
from jupyter_mlinfn.leases.store import LeaseBook
from jupyter_mlinfn.leases.tables import SCHEMA
from jupyter_mlinfn.model.leases import Device

DEVICE = Device(uuid="GPU-1", pool="t4", host="h1", model="Tesla T4")


class Steady:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Steady:
    return Steady()


@pytest.fixture
def leases(tmp_path: Path, clock: Steady) -> Iterator[LeaseBook]:
    database = open_database(tmp_path / "leases.sqlite", SCHEMA, patience=60.0)
    book = LeaseBook(database, grace=60.0, monotonic=clock)
    yield book
    book.close()


def test_a_start_is_waited_for_as_long_as_it_goes_on(leases: LeaseBook, clock: Steady) -> None:
    starting = {("ada", "")}
    book = SimpleNamespace(book=lambda: SimpleNamespace(pools=()))
    way = SimpleNamespace(labelled=lambda: ())
    made = Round(cast(Any, book), leases, cast(Any, way), lambda _: [DEVICE], "h1", starting)
    assert made.make()
    lease = leases.claim("t4", "ada", "", None)
    for _ in range(4):
        clock.now += 60
        assert made.make()
    assert leases.get(lease.id).released is None
    starting.clear()  # it failed, and nobody could tell whether anything runs
    for _ in range(2):
        assert made.make()
        clock.now += 60
    assert leases.get(lease.id).ended == "orphaned"


class Slow(Spawner):  # type: ignore[misc]
    """A spawner whose start goes on until the test lets it."""

    going: asyncio.Event
    end: asyncio.Event

    async def start(self) -> str:
        self.going.set()
        await self.end.wait()
        return "http://127.0.0.1:1"

    async def stop(self, now: bool = False) -> None:
        """Nothing runs."""

    async def poll(self) -> int:
        return 0


class PlannedSlow(PlannedSpawner, Slow):
    """As planned."""


@pytest.mark.parametrize("cancelled", [False, True])
def test_the_desk_knows_who_is_being_started(desk: Desk, cancelled: bool) -> None:
    async def story() -> None:
        spawner = PlannedSlow()
        spawner.user = SimpleNamespace(name="ada")
        spawner.going, spawner.end = asyncio.Event(), asyncio.Event()
        spawner._plan = cast(Any, object())
        start = asyncio.ensure_future(spawner.start())
        begun = asyncio.ensure_future(spawner.going.wait())
        await asyncio.wait([start, begun], return_when=asyncio.FIRST_COMPLETED)
        assert not start.done(), start.exception()
        assert desk.starting == {("ada", "")}
        if cancelled:
            start.cancel()
        spawner.end.set()
        await asyncio.wait([start])
        assert start.cancelled() == cancelled
        assert desk.starting == set()

    for name in ("make_folders", "began"):
        setattr(desk, name, _nothing)
    desk.__dict__.update(
        leases_for=lambda _: False, planned_end=lambda _: None, traits=lambda *_: {}
    )
    PlannedSlow.desk = desk
    asyncio.run(story())


async def _nothing(*_: object) -> None:
    """Nothing to do."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    nothing = cast(Any, None)
    sessions, journal = Sessions(tmp_path / "sessions"), Journal(tmp_path / "decisions.jsonl")
    return Desk(nothing, nothing, None, sessions, nothing, journal)


def ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def decided(
    decision: Decided, user: str = "ada", *, minutes: float = 0, dry_run: bool = False
) -> Entry:
    return Entry(
        time=ago(minutes), user=user, server="", decision=decision, why="", dry_run=dry_run
    )


Decisions = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("decisions", "ended"),
    [
        ([], "stopped"),
        ([{"decision": "cull"}], "culled"),
        ([{"decision": "cull"}, {"decision": "warn", "user": "bob"}], "culled"),
        ([{"decision": "release"}], "stopped"),
        ([{"decision": "cull", "user": "bob"}], "stopped"),
        ([{"decision": "cull", "dry_run": True}], "stopped"),
        ([{"decision": "cull"}, {"decision": "keep"}], "stopped"),
        ([{"decision": "cull", "minutes": 6}], "stopped"),  # it was not ended then
    ],
)
def test_who_ended_a_session(desk: Desk, tmp_path: Path, decisions: Decisions, ended: str) -> None:
    Sessions(tmp_path / "sessions").tell(SessionFacts(user="ada", profile="p", started=ago(60)))
    for one in decisions:
        Journal(tmp_path / "decisions.jsonl").write(decided(**one))
    with (tmp_path / "decisions.jsonl").open("a") as half:
        half.write("{")
    assert asyncio.run(desk.end_by_hand("ada", "")) == ended


def test_the_end_of_the_session_before_says_nothing(desk: Desk, tmp_path: Path) -> None:
    Journal(tmp_path / "decisions.jsonl").write(decided("cull"))
    assert asyncio.run(desk.end_by_hand("ada", "")) == "stopped"  # nobody knows of it
    later = datetime.now(UTC)
    Sessions(tmp_path / "sessions").tell(SessionFacts(user="ada", profile="p", started=later))
    assert asyncio.run(desk.end_by_hand("ada", "")) == "stopped"


def test_a_journal_that_cannot_be_read_hinders_no_stop(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").mkdir()
    assert asyncio.run(desk.end_by_hand("ada", "")) == "stopped"
