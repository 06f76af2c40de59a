"""Books on both databases, and clocks that the tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyter_mlinfn.database.opening import open_database
from jupyter_mlinfn.leases.store import LeaseBook, open_book
from jupyter_mlinfn.leases.tables import SCHEMA
from jupyter_mlinfn.model.leases import Device, Labelled, Lease
from tests.systems.postgres import Postgres, postgres

__all__ = ["postgres"]

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GRACE = 60.0
Books = Callable[[], "Book"]


@dataclass
class Clock:
    """The time of day, and the clock that never jumps; each is moved alone."""

    now: datetime = START
    steady: float = 1000.0

    def day(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.steady

    def later(self, seconds: float) -> None:
        """Time goes by."""
        self.steady += seconds
        self.now += timedelta(seconds=seconds)


class Book(LeaseBook):
    """A book with a clock of the tests; ``where`` is its database."""

    clock: Clock
    where: str


def device(number: int, pool: str = "slice", host: str = "h1", **more: str) -> Device:
    """One device of a pool."""
    return Device(uuid=f"MIG-{host}-{number}", pool=pool, host=host, model="A100", **more)


def devices(count: int, host: str = "h1") -> tuple[Device, ...]:
    """So many."""
    return tuple(device(number, host=host) for number in range(count))


def container(lease: Lease, name: str | None = None, *, running: bool = True) -> Labelled:
    """The container of a lease, as the engine tells it."""
    return Labelled(
        container=name or f"c-{lease.id}",
        lease=lease.id,
        user=lease.user,
        server=lease.server,
        devices=(lease.device.uuid,),
        running=running,
    )


def offer(book: LeaseBook, *given: Device, host: str = "h1") -> None:
    """The host has these devices, and nobody uses them."""
    book.set_devices(given, host)
    book.reconcile(host, (), START)


@pytest.fixture(scope="session")
def served(postgres: Postgres) -> str:
    """The address of one database with empty tables, for all tests of a process."""
    url = postgres.database()
    book = open_book(url)
    book.pools()
    book.close()
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub' / 'leases.sqlite'}"
    url: str = request.getfixturevalue("served")
    cluster: Postgres = request.getfixturevalue("postgres")
    tables = "leases, lease_devices, lease_line, lease_refusals"
    cluster.administer(url.rpartition("/")[2], f"TRUNCATE {tables} RESTART IDENTITY")
    return url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(where: str, clock: Clock) -> Iterator[Books]:
    """Books on one database: each is one process's, with nothing remembered in memory."""
    opened: list[Book] = []

    def make() -> Book:
        book = Book(
            open_database(where, SCHEMA, patience=30.0),
            grace=GRACE, line_patience=GRACE, clock=clock.day, monotonic=clock.monotonic,
        )  # fmt: skip
        book.clock, book.where = clock, where
        opened.append(book)
        return book

    yield make
    for book in opened:
        book.close()


@pytest.fixture
def book(books: Books) -> Book:
    return books()
