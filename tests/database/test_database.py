"""Databases that several processes share: transactions, faults and repairs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from jupyter_mlinfn.database.engine import Damaged, Database
from jupyter_mlinfn.database.migrations import revision_of
from jupyter_mlinfn.jobs.tables import SCHEMA, metadata
from jupyter_mlinfn.model.errors import Unavailable

COUNT = text("UPDATE counters SET value = value + 1 WHERE name = 'revision'")
VALUE = text("SELECT value FROM counters WHERE name = 'revision'")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "data" / "50%" / "jobs.sqlite", SCHEMA, patience=0.2)
    yield made
    made.close()


def value(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(VALUE).scalar_one())


def test_durable_settings_and_rights(database: Database) -> None:
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert database.path.stat().st_mode & 0o777 == 0o600
    assert database.path.parent.stat().st_mode & 0o777 == 0o700


def test_migrations_make_what_the_tables_say(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert revision_of(connection) == SCHEMA.head


def test_alembic_is_loaded_only_when_the_schema_is_not_current(database: Database) -> None:
    value(database)
    program = (
        "import sys; from pathlib import Path\n"
        "from jupyter_mlinfn.database.engine import Database\n"
        "from jupyter_mlinfn.jobs.tables import SCHEMA\n"
        "with Database(Path(sys.argv[1]), SCHEMA).read(): pass\n"
        "print('alembic' in sys.modules)"
    )
    run = [sys.executable, "-c", program, str(database.path)]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_a_newer_schema_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(Unavailable) as caught, database.read():
        pass
    assert caught.value.code == "database-newer"
    assert "newer version" in caught.value.text
    with sqlite3.connect(database.path) as plain:
        assert plain.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_write_takes_the_lock_before_the_first_read(database: Database) -> None:
    other = Database(database.path, SCHEMA, patience=0.05)
    with database.write():
        with pytest.raises(Unavailable) as caught, other.write():
            pass
        assert caught.value.code == "database-busy"
        assert value(other) == 0  # readers wait for nobody
    other.close()


def test_no_update_is_lost_between_threads(database: Database) -> None:
    patient = Database(database.path, SCHEMA, patience=30)

    def count() -> None:
        for _ in range(25):
            with patient.write() as connection:
                before = connection.execute(VALUE).scalar_one()
                new = text(f"UPDATE counters SET value = {before + 1} WHERE name = 'revision'")
                connection.execute(new)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(patient) == 100
    patient.close()


def test_an_error_leaves_nothing_behind(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            connection.execute(COUNT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert value(database) == 0


def test_a_removed_file_is_made_anew_without_its_old_log(database: Database) -> None:
    with database.write() as connection:
        connection.execute(COUNT)
    before = database.generation
    database.path.unlink()  # its -wal stays and must not be replayed
    assert value(database) == 0
    assert database.generation == before + 1


def test_a_damaged_file_is_named_and_can_be_set_aside(database: Database) -> None:
    value(database)
    database.close()
    database.path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(Damaged):
        value(database)
    aside = database.set_aside()
    assert aside is not None
    assert aside.read_bytes().startswith(b"this is no database")
    assert value(database) == 0


def test_a_full_disk_is_said_and_nothing_is_kept(database: Database) -> None:
    def fill() -> None:
        with database.write() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            connection.execute(COUNT)
            large = text("INSERT INTO deleted (id, revision) VALUES (:id, 1)")
            connection.execute(large, {"id": "x" * 200_000})

    value(database)
    with pytest.raises(Unavailable) as caught:
        fill()
    assert caught.value.code == "disk-full"
    assert value(database) == 0


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Unavailable), Database(tmp_path / "jobs.sqlite", SCHEMA).read():
        pass


def test_a_path_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Unavailable), Database(tmp_path, SCHEMA).read():
        pass
