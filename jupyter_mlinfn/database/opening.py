"""One way to open a database, whichever kind it is: a file, or a place on a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jupyter_mlinfn.database.engine import Database
from jupyter_mlinfn.database.migrations import Schema
from jupyter_mlinfn.database.postgres import PostgresDatabase
from jupyter_mlinfn.database.transactions import Transactions
from jupyter_mlinfn.model.errors import InputError

_SQLITE: Final = "sqlite:///"


def open_database(where: str | Path, schema: Schema, *, patience: float = 5.0) -> Transactions:
    """The database at a path, ``sqlite:///path`` or ``postgresql://user:password@host/name``.

    ``patience``: seconds to wait for another writer. Nothing is opened before the first use.
    Raises :class:`InputError` for an address that cannot be read; its text never repeats it.
    """
    if isinstance(where, Path):
        return Database(where, schema, patience=patience)
    if where.startswith(_SQLITE) and len(where) > len(_SQLITE):
        return Database(Path(where.removeprefix(_SQLITE)), schema, patience=patience)
    if where.startswith("postgres"):
        return PostgresDatabase(where, schema, patience=patience)
    raise InputError(
        "The address of the database cannot be read. Write sqlite:///path or "
        "postgresql://user:password@host:5432/name.",
        code="bad-database-url",
    )
