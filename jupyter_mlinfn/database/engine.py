"""SQLite databases that several processes share safely.

Every writing transaction begins with ``BEGIN IMMEDIATE``: it holds the write lock from its first
read on, so "read what is free, then take it" is a claim (the default transaction is not:
249 of 480 claims raced). Readers see one consistent snapshot and wait for nobody (WAL).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jupyter_mlinfn.database.migrations import Schema, bring_to_head
from jupyter_mlinfn.database.transactions import READ, Transactions
from jupyter_mlinfn.model.errors import MlinfnError, Unavailable


class Damaged(Unavailable):
    """The file is no database, or its pages are broken."""

    default_code = "database-damaged"


class Database(Transactions):
    """One SQLite file, opened and brought to the present schema at its first use.

    ``patience`` is how long to wait for another writer, in seconds. Thread-safe. When the file is
    removed or replaced while it is open, the next transaction opens the new one, and
    ``generation`` grows.
    """

    def __init__(self, path: Path, schema: Schema, *, patience: float = 5.0) -> None:
        self.path = path
        self.generation = 0
        self._schema = schema
        self._patience = patience
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._identity: tuple[int, int] | None = None

    def set_aside(self) -> Path | None:
        """Rename a damaged file, so that the next use makes a new one; the file's new path.

        ``None`` when it is not there, or another process has put a new one in its place.
        """
        with self._lock, _alone(self.path):
            replaced = self._identity not in (None, _identity(self.path))
            self._dispose()
            if replaced:
                return None
            aside = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
            try:
                self.path.rename(aside)
            except FileNotFoundError:
                return None
            return aside

    def open(self) -> int:
        """Open when it is not, and give the ``generation``."""
        with self._translated():
            self._opened()
            return self.generation

    def close(self) -> None:
        """Close all connections; the next use opens again."""
        with self._lock:
            self._dispose()

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is not None and self._identity == _identity(self.path):
                return self._engine
            self._dispose()
            with _created(self.path):
                engine = make_engine(self.path, self._patience)
                try:
                    bring_to_head(engine, self._schema)
                except BaseException:
                    engine.dispose()
                    raise
            self._engine, self._identity = engine, _identity(self.path)
            self.generation += 1
            return engine

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = self._identity = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except PoolTimeout as error:
            raise Unavailable(
                f"The database {self.path.name} is too busy to answer. Try again. "
                "Nothing was changed.",
                code="database-busy",
            ) from error
        except (DatabaseError, OSError) as error:
            raise explain(error, self.path) from error


@contextmanager
def _created(path: Path) -> Iterator[None]:
    """With the file there, for this person alone; left-overs of a removed one are cleared."""
    if path.exists():
        yield
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(path):
        if not path.exists():
            # the log of a removed database would be replayed into the new one
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            path.touch(mode=0o600)
        yield


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Alone among all processes that create or replace ``path``."""
    handle = os.open(
        path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def make_engine(path: Path, patience: float) -> Engine:
    """An engine on the SQLite file ``path`` with the rules of this module."""
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": patience, "check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    # the driver's own BEGIN would come too late and be a reading one
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get(READ, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)  # noqa: PTH116 - a few microseconds in every transaction
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino


_WHY: Final = {
    sqlite3.SQLITE_BUSY: ("database-busy", "is being written by another program. Try again."),
    sqlite3.SQLITE_LOCKED: ("database-busy", "is being written by another program. Try again."),
    sqlite3.SQLITE_FULL: ("disk-full", "cannot grow: the disk is full. Free some space."),
    sqlite3.SQLITE_READONLY: ("database-read-only", "cannot be written: it is read-only."),
    sqlite3.SQLITE_CANTOPEN: ("database-closed", "cannot be opened. Check the folder's rights."),
    sqlite3.SQLITE_IOERR: ("database-io", "cannot be read or written: the disk gives errors."),
}


def explain(error: DatabaseError | OSError, path: Path) -> MlinfnError:
    """The error for people. Programming errors (bad SQL) stay what they are."""
    if isinstance(error, OSError):
        return Unavailable(f"{path} cannot be used: {error.strerror}.", code="database-closed")
    cause = error.orig
    primary = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Damaged(f"The file {path} is damaged.")
    if primary in _WHY:
        code, text = _WHY[primary]
        return Unavailable(f"The database {path.name} {text} Nothing was changed.", code=code)
    if isinstance(error, OperationalError):
        return Unavailable(f"The database {path.name} cannot be used: {cause}.", code="database")
    raise error
