"""The tables of the leases. Which containers run is told by their labels; what is written here is
who may start one, who waits, and who had what.

The columns are created by the alembic scripts in ``migrations``; a test compares both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from jupyter_mlinfn.database.columns import Instant
from jupyter_mlinfn.database.migrations import Schema

SCHEMA: Final = Schema(
    scripts=Path(__file__).parent / "migrations",
    head="0002",
    # the hub may keep its own tables in the same PostgreSQL database
    versions="lease_versions",
    holds="list of leases",
    kept="the sessions go on",
)

metadata = MetaData()

devices = Table(
    "lease_devices",
    metadata,
    Column("uuid", String(200), primary_key=True),
    Column("pool", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("mig", Text),
    Column("parent", String(200)),
    Column("state", String(20), nullable=False),
    Column("looked", Boolean, nullable=False),
    Column("turn", Integer, nullable=False),
    Index("lease_devices_by_pool", "pool"),
    Index("lease_devices_by_host", "host"),
)
"""``looked``: the containers of its host were seen since it appeared, so it is known to be unused;
before that nobody gets it. ``turn`` orders the free ones: the one unused for longest goes first."""

leases = Table(
    "leases",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("device", String(200), ForeignKey("lease_devices.uuid"), nullable=False),
    Column("person", Text, nullable=False),
    Column("server", Text, nullable=False),
    Column("acquired", Instant, nullable=False),
    Column("until", Instant),
    Column("container", Text),
    Column("released", Instant),
    Column("ended", String(20)),
    Column("revision", Integer, nullable=False),
    Index("leases_by_revision", "revision"),
    Index("leases_by_person", "person", "server"),
    # the last word against handing a device out twice, whatever the code above it does
    Index(
        "one_open_lease",
        "device",
        unique=True,
        sqlite_where=text("released IS NULL"),
        postgresql_where=text("released IS NULL"),
    ),
)

line = Table(
    "lease_line",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("ticket", String(40), nullable=False, unique=True),
    Column("pool", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("server", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("beat", Integer, nullable=False),
    UniqueConstraint("pool", "person", "server", name="one_place"),
)
"""``beat`` counts how often the waiter was heard: no time of day, which may jump."""

refusals = Table(
    "lease_refusals",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("count", Integer, nullable=False),
)
"""How often somebody asked for a device of a pool and got none: whoever looks again sees whether it
grew, and needs no time of day for that."""
