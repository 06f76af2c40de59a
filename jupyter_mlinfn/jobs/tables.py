"""The tables of the job index. What they hold can be rebuilt from the job folders.

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
)

from jupyter_mlinfn.database.columns import Document, Instant
from jupyter_mlinfn.database.migrations import Schema

SCHEMA: Final = Schema(scripts=Path(__file__).parent / "migrations", head="0001")

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(10), nullable=False, unique=True),
    Column("token", String(100), nullable=False, unique=True),
    Column("key", String(200), unique=True),
    Column("revision", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("source", Text, nullable=False),
    Column("backend", String(60), nullable=False),
    Column("backend_id", Text),
    Column("queue", Text),
    Column("parameters", Document, nullable=False),
    Column("environment_name", Text, nullable=False),
    Column("environment_digest", Text),
    Column("cpus", Integer, nullable=False),
    Column("memory", Integer, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("time", Integer, nullable=False),
    Column("evictable", Boolean, nullable=False),
    Column("try_first", Boolean, nullable=False),
    Column("rerun_of", String(10)),
    Column("output_folder", Text, nullable=False),
    Column("search", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Document),
    Column("unknown_since", Instant),
    Column("cancelling", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("output", Text),
    Column("progress", Document),
    Column("usage", Document),
    Column("submitted_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("request", Document, nullable=False),
    Index("jobs_by_state", "state", "number"),
    Index("jobs_by_revision", "revision"),
    Index("jobs_by_source", "source", "number"),
    Index("jobs_by_end", "state", "ended_at"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job", String(10), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", String(20), nullable=False),
    Column("reason", Document),
    Column("host", Text),
    Column("accelerators", Document, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("exit_code", Integer),
    Column("usage", Document),
)

claims = Table(
    "claims",
    metadata,
    Column("job", String(10), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("machine", Text, nullable=False, index=True),
    Column("cpus", Integer, nullable=False),
    Column("memory", Integer, nullable=False),
)
"""One slot a job: the primary key makes two active attempts of one job impossible."""

claimed_accelerators = Table(
    "claimed_accelerators",
    metadata,
    Column("machine", Text, primary_key=True),
    Column("uuid", Text, primary_key=True),
    Column("job", String(10), ForeignKey("claims.job", ondelete="CASCADE"), nullable=False),
    UniqueConstraint("job", "uuid"),
)
"""The primary key makes it impossible to give one accelerator to two jobs."""

deleted = Table(
    "deleted",
    metadata,
    Column("id", String(10), primary_key=True),
    Column("revision", Integer, nullable=False, index=True),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Integer, nullable=False),
)
"""``revision``: of the newest change. ``indexed``: 1 once the folders have been read."""
