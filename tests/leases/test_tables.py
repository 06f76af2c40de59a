"""The scripts make what the code reads."""

from __future__ import annotations

from typing import Any

from tests.leases.conftest import Book


def test_migrations_make_what_the_tables_say(book: Book) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from jupyter_mlinfn.leases.tables import SCHEMA, metadata

    options: dict[str, Any] = {"compare_type": True, "version_table": SCHEMA.versions}
    with book.database.read() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_the_index_speaks_of_open_leases_alone(book: Book) -> None:
    from sqlalchemy import inspect

    with book.database.read() as connection:
        indexes = inspect(connection).get_indexes("leases")
    (one,) = [index for index in indexes if index["name"] == "one_open_lease"]
    assert one["unique"]
    assert one["column_names"] == ["device"]
    condition = next(v for k, v in one["dialect_options"].items() if k.endswith("_where"))
    assert "released IS NULL" in str(condition)
