"""Brings a database to the schema this version knows; alembic is loaded only when it is not.

Each room keeps its own alembic revisions in its ``migrations/versions`` folder and names the
newest one in a constant, so that the check on open costs one query.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, column, inspect, select, table

from jupyter_mlinfn.model.errors import Unavailable


@dataclass(frozen=True)
class Schema:
    """Where the alembic scripts of one database lie, and the newest revision among them.

    ``versions`` is the table that keeps the revision: a chain that may share a server's database
    with others, such as JupyterHub's own, has one of its own name. ``holds`` and ``kept`` say in
    the words of a sentence what the database is and what is safe.
    """

    scripts: Path
    head: str
    versions: str = "alembic_version"
    holds: str = "job list"
    kept: str = "your jobs are safe"


def revision_of(connection: Connection, versions: str = "alembic_version") -> str | None:
    """The revision a database is at; ``None`` for a new, empty one."""
    if not inspect(connection).has_table(versions):
        return None
    found = connection.execute(select(column("version_num")).select_from(table(versions))).scalar()
    return None if found is None else str(found)


def bring_to_head(engine: Engine, schema: Schema) -> None:
    """Create or upgrade all tables in one transaction; nothing to do is the usual case.

    Raises :class:`Unavailable` (``database-newer``) for a database of a newer version, which is
    left as it is.
    """
    with engine.connect().execution_options(mlinfn_read=True) as connection, connection.begin():
        if revision_of(connection, schema.versions) == schema.head:
            return
    with engine.begin() as connection:
        # another process may have done it since
        present = revision_of(connection, schema.versions)
        if present != schema.head:
            _upgrade(connection, schema, present)


def _upgrade(connection: Connection, schema: Schema, present: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    # a percent sign in a path would be an interpolation
    config.set_main_option("script_location", str(schema.scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["versions"] = schema.versions
    if present is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(present)
        except CommandError as error:
            raise Unavailable(
                f"The {schema.holds} was written by a newer version of jupyter_mlinfn (schema "
                f"{present}; this version knows {schema.head}). Update this installation. Nothing "
                f"was changed, and {schema.kept}.",
                code="database-newer",
            ) from error
    command.upgrade(config, schema.head)
