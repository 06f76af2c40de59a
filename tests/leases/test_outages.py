"""The database is locked, full, read-only, away, lost: said with the reason, nothing half done,
and well again without a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_mlinfn.database.engine import Database
from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.leases.store import LeaseBook, open_book
from jupyter_mlinfn.leases.tables import SCHEMA
from jupyter_mlinfn.model.errors import Unavailable
from tests.leases.conftest import START, container, devices, offer
from tests.systems.postgres import Postgres


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "leases.sqlite"


@pytest.fixture
def light(file: Path) -> Iterator[LeaseBook]:
    """A book in a file that waits for others only shortly."""
    book = LeaseBook(Database(file, SCHEMA, patience=0.1))
    offer(book, *devices(2))
    yield book
    book.close()


@pytest.fixture
def remote(postgres: Postgres) -> Iterator[tuple[LeaseBook, str]]:
    """A book on a server, and the name of its database."""
    url = postgres.database()
    book = open_book(url)
    offer(book, *devices(2))
    yield book, url.rpartition("/")[2]
    book.close()


def refused(book: LeaseBook, code: str) -> str:
    """Every kind of change is refused for this reason; the text."""
    held = book.active() if code not in ("database-away",) else ()
    for change in (
        lambda: book.claim("slice", "eve", "", None),
        lambda: book.wait("slice", "eve", ""),
        lambda: book.set_devices(devices(3), "h1"),
    ):
        text = one_refused(change, code)
    if held:
        assert book.active() == held
    return text


def one_refused(change: Callable[[], object], code: str) -> str:
    with pytest.raises(Unavailable) as caught:
        change()
    assert caught.value.code == code
    return caught.value.text


def well_again(book: LeaseBook) -> None:
    """Nothing was changed, nothing is in the way."""
    assert [one.total for one in book.pools()] == [2]
    assert [one.waiting for one in book.pools()] == [0]
    lease = book.claim("slice", "bob", "", None)
    book.confirm(lease.id, "c1")
    assert lease.id in {one.id for one in book.active()}


def test_a_locked_file(light: LeaseBook, file: Path) -> None:
    light.claim("slice", "ada", "", None)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "another program" in refused(light, "database-busy")
        other.execute("ROLLBACK")
    well_again(light)


def pragma(book: LeaseBook, words: str) -> int:
    """A setting of the book's one connection."""
    with book.database.read() as connection:
        done = connection.exec_driver_sql(f"PRAGMA {words}")
        return int(done.scalar_one()) if done.returns_rows else 0


def test_a_full_disk(light: LeaseBook) -> None:
    light.claim("slice", "ada", "", None)
    pages = pragma(light, "page_count")
    pragma(light, f"max_page_count = {pages}")
    many = devices(2000)
    assert "Free some space" in one_refused(lambda: light.set_devices(many, "h1"), "disk-full")
    pragma(light, "max_page_count = 1000000")
    well_again(light)


def test_a_read_only_file(light: LeaseBook) -> None:
    light.claim("slice", "ada", "", None)
    pragma(light, "query_only = ON")
    assert "read-only" in refused(light, "database-read-only")
    pragma(light, "query_only = OFF")
    well_again(light)


@pytest.mark.parametrize("how", ["removed", "damaged"])
def test_a_lost_book_hands_out_nothing_that_is_held(light: LeaseBook, file: Path, how: str) -> None:
    lease = light.claim("slice", "ada", "", None)
    light.confirm(lease.id, "c1")
    if how == "removed":
        file.unlink()
    else:
        light.close()
        file.write_bytes(b"this is no database, whatever its name says" * 100)
        one_refused(light.pools, "database-damaged")
        assert list(file.parent.glob("leases.sqlite.damaged-*"))
    with pytest.raises(NoneFree):
        light.claim("slice", "bob", "", None)
    light.set_devices(devices(2), "h1")
    with pytest.raises(NoneFree):
        light.claim("slice", "bob", "", None)
    found = light.reconcile("h1", [container(lease, "c1")], START)
    assert [one.id for one in found.adopted] == [lease.id]
    assert light.claim("slice", "bob", "", None).device != lease.device


@pytest.mark.system
def test_a_server_that_stops(remote: tuple[LeaseBook, str], postgres: Postgres) -> None:
    book, name = remote
    book.claim("slice", "ada", "", None)
    postgres.stop_server()
    try:
        text = refused(book, "database-away")
        assert name in text
        assert str(postgres.port) in text
    finally:
        postgres.start_server()
    well_again(book)


@pytest.mark.system
def test_a_server_that_was_restarted_unseen(
    remote: tuple[LeaseBook, str], postgres: Postgres
) -> None:
    book, _ = remote
    postgres.stop_server()
    postgres.start_server()
    well_again(book)  # the dead connections of the pool are not noticed by anybody


@pytest.mark.system
def test_a_server_that_stops_in_the_middle(
    remote: tuple[LeaseBook, str], postgres: Postgres
) -> None:
    book, _ = remote

    def change() -> None:
        with book.database.write() as connection:
            connection.exec_driver_sql("UPDATE lease_devices SET state = 'lost'")
            postgres.stop_server()

    try:
        one_refused(change, "database-away")
    finally:
        postgres.start_server()
    well_again(book)


@pytest.mark.system
def test_a_server_that_stands_still(
    remote: tuple[LeaseBook, str], postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, name = remote

    def change() -> None:
        with book.database.write() as connection, postgres.standing_still():
            limit.setattr("jupyter_mlinfn.database.answering.ANSWERS_WITHIN", 1.0)
            connection.exec_driver_sql("UPDATE lease_devices SET state = 'lost'")

    with monkeypatch.context() as limit:
        one_refused(change, "database-away")
    well_again(book)
    with postgres.standing_still(), monkeypatch.context() as limit:
        limit.setattr("jupyter_mlinfn.database.answering.ANSWERS_WITHIN", 1.0)
        told = one_refused(lambda: book.claim("slice", "eve", "", None), "database-away")
    assert name in told
    assert [one.free for one in book.pools()] == [1]


@pytest.mark.system
def test_a_read_only_server(remote: tuple[LeaseBook, str], postgres: Postgres) -> None:
    book, name = remote
    book.claim("slice", "ada", "", None)
    setting = f"ALTER DATABASE {name} SET default_transaction_read_only"
    postgres.administer("postgres", f"{setting} = on")
    book.close()
    assert "read-only" in refused(book, "database-read-only")
    postgres.administer("postgres", f"{setting} = off")
    book.close()
    well_again(book)


@pytest.mark.system
def test_a_server_on_which_another_holds_the_lock(postgres: Postgres) -> None:
    url = postgres.database()
    first, second = open_book(url), open_book(url, patience=0.1)
    offer(first, *devices(2))
    with first.database.write():
        assert "another program" in refused(second, "database-busy")
        assert second.pools()[0].free == 2  # readers wait for nobody
    well_again(second)
    first.close()
    second.close()
