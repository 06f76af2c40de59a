"""The scripts make what the code reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from jupyter_mlinfn.database.opening import open_database
from jupyter_mlinfn.leases.store import LeaseBook
from jupyter_mlinfn.leases.tables import SCHEMA
from tests.leases.conftest import Book, devices, offer


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


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def test_a_book_of_the_first_form_goes_on(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    where = f"sqlite:///{tmp_path / 'leases.sqlite'}"
    if kind == "postgresql":
        where = request.getfixturevalue("postgres").database()
    first = open_database(where, replace(SCHEMA, head="0001"), patience=30.0)
    with first.write() as connection:
        line = "INSERT INTO lease_line (ticket, pool, person, server, since, beat) VALUES "
        connection.execute(text(line + "('t', 'slice', 'bob', '', 0, 1)"))
    first.close()
    book = LeaseBook(open_database(where, SCHEMA, patience=30.0))
    offer(book, *devices(2))
    (pool,) = book.pools()
    assert (pool.waiting, pool.refused) == (1, 0)
    book.claim("slice", "ada", "", None)
    book.close()
