"""PostgreSQL as the place of a database: addresses, secrets, the reasons when it cannot be used."""

from __future__ import annotations

import logging
import subprocess
import sys
import traceback
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from jupyter_mlinfn.database.engine import Database
from jupyter_mlinfn.database.migrations import revision_of
from jupyter_mlinfn.database.opening import open_database
from jupyter_mlinfn.database.postgres import PostgresDatabase, explain, read_url
from jupyter_mlinfn.database.transactions import Transactions
from jupyter_mlinfn.leases.tables import SCHEMA
from jupyter_mlinfn.model.errors import InputError, Unavailable
from tests.systems.postgres import PASSWORD, USER, Postgres

SECRETS = (PASSWORD, "hub%5Btest%2F%3A%3F", "[test/:")


def opened(where: str, patience: float = 5.0) -> Transactions:
    return open_database(where, SCHEMA, patience=patience)


def failure(where: str) -> Unavailable:
    """Why it cannot be used; the password is nowhere in what a log would show."""
    database = opened(where)
    with pytest.raises(Unavailable) as caught, database.read():
        pass
    database.close()
    shown = "".join(traceback.format_exception(caught.value))
    for secret in SECRETS:
        assert secret not in shown + repr(database) + repr(caught.value.problems)
    return caught.value


@pytest.mark.parametrize(
    "where",
    [
        "hub.sqlite",
        "sqlite://",
        "mysql://hub:hub[test/:?@127.0.0.1/hub",
        "postgresql://hub:hub[test/:?@127.0.0.1:notaport/hub",
        "postgresql://hub:hub[test/:?@127.0.0.1",
        "postgresql+asyncpg://hub:hub[test/:?@127.0.0.1/hub",
        "postgres hub[test/:?",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(where: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(where)
    assert caught.value.code == "bad-database-url"
    shown = "".join(traceback.format_exception(caught.value))
    assert not any(secret in shown for secret in SECRETS)


def test_every_way_to_write_an_address(tmp_path: Path) -> None:
    for name in ("postgres", "postgresql", "postgresql+psycopg"):
        for password in (PASSWORD, "hub%5Btest%2F%3A%3F"):
            url = read_url(f"{name}://{USER}:{password}@h:5432/hub")
            assert (url.password, url.host, url.port) == (PASSWORD, "h", 5432)
    file = opened(f"sqlite:///{tmp_path}/a.sqlite")
    assert isinstance(file, Database)
    assert file.path == tmp_path / "a.sqlite"
    assert isinstance(open_database(file.path, SCHEMA), Database)


def test_what_a_server_says_is_told_in_our_words() -> None:
    def told(state: type[psycopg.Error]) -> str | None:
        return explain(OperationalError("INSERT", {}, state()), "hub at h", "x").code

    assert told(psycopg.errors.DiskFull) == "disk-full"
    assert told(psycopg.errors.LockNotAvailable) == "database-busy"
    assert told(psycopg.errors.ReadOnlySqlTransaction) == "database-read-only"
    assert told(psycopg.errors.TooManyConnections) == "database-busy"
    assert told(psycopg.errors.AdminShutdown) == "database-away"
    wrong = ProgrammingError("SELEC", {}, psycopg.errors.SyntaxError())
    with pytest.raises(ProgrammingError):
        explain(wrong, "hub at h", "x")


def test_a_password_that_the_server_repeats_is_masked() -> None:
    said = OperationalError("", {}, psycopg.OperationalError(f"bad password {PASSWORD} given"))
    assert "bad password *** given" in explain(said, "hub at h", PASSWORD).text


def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    from tests.systems.daemons import free_ports

    with caplog.at_level(logging.DEBUG):
        error = failure(f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{free_ports(1)[0]}/hub")
    assert error.code == "database-away"
    assert "hub at 127.0.0.1" in error.text
    assert not any(secret in caplog.text for secret in SECRETS)


@pytest.mark.system
class TestServer:
    def test_the_odd_password_opens_the_door(self, postgres: Postgres) -> None:
        with opened(postgres.database()).read() as connection:
            assert connection.exec_driver_sql("SELECT current_user").scalar() == USER

    def test_the_password_may_come_from_the_environment(
        self, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        url = postgres.database().replace(":hub%5Btest%2F%3A%3F", "")
        with opened(url).read() as connection:
            assert connection.exec_driver_sql("SELECT current_user").scalar() == USER

    def test_a_wrong_password_and_a_wrong_name(
        self, postgres: Postgres, caplog: pytest.LogCaptureFixture
    ) -> None:
        name = postgres.database().rpartition("/")[2]
        with caplog.at_level(logging.DEBUG):
            wrong = failure(postgres.url(name, password=f"{PASSWORD}!"))
            assert "password authentication failed" in wrong.text
            assert "does not exist" in failure(postgres.url("nowhere")).text
        assert not any(secret in caplog.text for secret in SECRETS)

    def test_a_user_who_may_not_make_tables(self, postgres: Postgres) -> None:
        postgres.administer("postgres", "CREATE DATABASE others OWNER owner")
        error = failure(postgres.url("others"))
        assert error.code == "database-refused"
        assert "others at 127.0.0.1" in error.text

    def test_what_the_driver_repeats_is_in_no_traceback(self, postgres: Postgres) -> None:
        database = opened(postgres.database())
        said = psycopg.OperationalError(f"connection to {PASSWORD} failed")
        with pytest.raises(Unavailable) as caught, database.write():
            raise OperationalError("", {}, said)
        shown = "".join(traceback.format_exception(caught.value))
        # this file's own lines are quoted by their text, not by their values
        assert "connection to *** failed" in shown
        assert PASSWORD not in shown
        database.close()

    def test_the_hub_may_keep_its_tables_beside_ours(self, postgres: Postgres) -> None:
        url = postgres.database()
        database = opened(url)
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('4621fec11365')")
        database.close()
        again = opened(url)
        with again.read() as connection:
            assert revision_of(connection) == "4621fec11365"
            assert revision_of(connection, SCHEMA.versions) == SCHEMA.head
        again.close()

    def test_a_newer_schema_is_refused_and_left_alone(self, postgres: Postgres) -> None:
        url = postgres.database()
        database = opened(url)
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE lease_versions SET version_num = '9999'")
        database.close()
        error = failure(url)
        assert error.code == "database-newer"
        assert "the sessions go on" in error.text

    def test_several_make_it_at_once(self, postgres: Postgres) -> None:
        url = postgres.database()
        program = (
            "import sys; from jupyter_mlinfn.leases.store import open_book\n"
            "print(open_book(sys.argv[1], patience=60).active())"
        )
        run = [sys.executable, "-c", program, url]
        started = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        assert [one.communicate()[0].strip() for one in started] == ["()"] * 3

    def test_a_reader_sees_one_moment(self, postgres: Postgres) -> None:
        database = opened(postgres.database())
        count = "SELECT count(*) FROM lease_line"
        new = "INSERT INTO lease_line (ticket, pool, person, server, since, beat) VALUES "
        with database.read() as reader:
            assert reader.exec_driver_sql(count).scalar() == 0
            with database.write() as writer:
                writer.exec_driver_sql(new + "('t', 'p', 'ada', '', 0, 0)")
            assert reader.exec_driver_sql(count).scalar() == 0
        with database.read() as reader:
            assert reader.exec_driver_sql(count).scalar() == 1
        assert isinstance(database, PostgresDatabase)
        database.close()
