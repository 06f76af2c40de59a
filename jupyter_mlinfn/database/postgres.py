"""PostgreSQL databases that several processes share safely: the hub's choice where it has one.

Every writing transaction begins with one advisory lock, as on SQLite with ``BEGIN IMMEDIATE``: what
is read afterwards is what is true, and "read what is free, then take it" is a claim. Row locks that
skip each other are not enough: measured on PostgreSQL 15, ``FOR UPDATE SKIP LOCKED … ON CONFLICT DO
NOTHING`` said "none free" in 43 to 46 of 1,120 claims while at least 14 were.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jupyter_mlinfn.database.migrations import Schema, bring_to_head
from jupyter_mlinfn.database.transactions import READ, Transactions
from jupyter_mlinfn.model.errors import InputError, MlinfnError, PartMissing, Unavailable

_DRIVER: Final = "postgresql+psycopg"
_NAMES: Final = frozenset({"postgres", "postgresql", _DRIVER})
_POOL_WAIT: Final = 30.0
_ABANDONED: Final = 60
"""Seconds after which the server ends a transaction whose program stands still: it holds the
lock that everybody else waits for."""
_LONGEST_TEXT: Final = 300


class PostgresDatabase(Transactions):
    """One database of a PostgreSQL server, brought to the present schema at its first use.

    ``url`` is ``postgresql://user:password@host:port/name``, odd characters of the password
    quoted as in any URL; without a password libpq's own ways hold (``PGPASSWORD``, ``.pgpass``).
    ``patience`` is how long to wait for another writer, or for a connection, in seconds.
    Thread-safe. A server that was away is found again at the next use; one that goes away in the
    very moment of a commit may have kept it.

    Raises :class:`InputError` for what is no such URL, :class:`PartMissing` without psycopg.
    """

    def __init__(self, url: str, schema: Schema, *, patience: float = 5.0) -> None:
        self._url = read_url(url)
        self._schema = schema
        self._patience = patience
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    @property
    def place(self) -> str:
        """The database for people: where it is, and never its password."""
        port = f":{self._url.port}" if self._url.port else ""
        return f"{self._url.database} at {self._url.host or 'this machine'}{port}"

    def close(self) -> None:
        """Close all connections; the next use opens again."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None:
                engine = make_engine(self._url, self._schema, self._patience)
                try:
                    bring_to_head(engine, self._schema)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except PoolTimeout as error:
            raise Unavailable(
                f"The database {self.place} is too busy to answer. Try again. Nothing was changed.",
                code="database-busy",
            ) from error
        except DatabaseError as error:
            told = explain(error, self.place, str(self._url.password or ""))
            # what the driver says may hold the way in: it is repeated without it, and not chained
            raise told from None
        except InterfaceError as error:
            raise _away(self.place, error, str(self._url.password or "")) from None


def read_url(url: str) -> URL:
    """The parts of a PostgreSQL URL. Raises :class:`InputError`, :class:`PartMissing`."""
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        # the library's own words may repeat the password
        parts = None
    if parts is None or parts.drivername not in _NAMES or not parts.database:
        raise InputError(
            "The address of the database cannot be read. Write "
            "postgresql://user:password@host:5432/name, with odd characters of the password "
            "quoted (@ is %40, / is %2F).",
            code="bad-database-url",
        )
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise PartMissing(
            "PostgreSQL needs the Python package psycopg. "
            "Install it: pip install 'jupyter_mlinfn[postgres]'.",
            code="psycopg-missing",
        ) from error
    return parts.set(drivername=_DRIVER)


def make_engine(url: URL, schema: Schema, patience: float) -> Engine:
    """An engine on ``url`` with the rules of this module."""
    engine = create_engine(
        url,
        # the lock would come too late for a snapshot taken before it
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=max(_POOL_WAIT, patience),
        hide_parameters=True,
        connect_args={
            # libpq takes whole seconds, and fewer than two for two
            "connect_timeout": max(2, round(patience)),
            "application_name": f"mlinfn {schema.holds}",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        },
    )
    lock = int.from_bytes(hashlib.sha256(f"mlinfn:{schema.versions}".encode()).digest()[:7])

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(READ, False):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {max(1, round(patience * 1000))}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {_ABANDONED * 1000}"
        )
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})

    event.listen(engine, "begin", begin)
    event.listen(engine, "do_connect", _connect)
    return engine


def _connect(_dialect: object, _record: object, words: Any, named: Any) -> Any:
    from jupyter_mlinfn.database.answering import AnsweringConnection

    return AnsweringConnection.connect(*words, **named)


_WHY: Final = {
    "55P03": ("database-busy", "is being written by another program. Try again."),
    "57014": ("database-busy", "took too long to answer. Try again."),
    "53100": ("disk-full", "cannot grow: the server's disk is full. Free some space."),
    "25006": ("database-read-only", "cannot be written: it is read-only."),
    "53300": ("database-busy", "has no connection left. Try again."),
    "42501": ("database-refused", "does not let this user write. Check the user's rights."),
}


def explain(error: DatabaseError, place: str, password: str) -> MlinfnError:
    """The error for people. Programming errors (bad SQL) stay what they are."""
    state = getattr(error.orig, "sqlstate", None)
    if state in _WHY:
        code, words = _WHY[state]
        return Unavailable(f"The database {place} {words} Nothing was changed.", code=code)
    if error.connection_invalidated or state is None or state[:2] in ("08", "57", "53", "28", "3D"):
        return _away(place, error, password)
    raise error


def _away(place: str, error: Any, password: str) -> Unavailable:
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    said = lines[-1] if lines else "it says nothing"
    if password:
        said = said.replace(password, "***")
    return Unavailable(
        f"The database {place} cannot be used: {said[:_LONGEST_TEXT]}. Nothing was changed.",
        code="database-away",
    )
