"""The tables of the job index. What they hold can be rebuilt from the job folders.

The columns are created by the alembic scripts in ``migrations``; a test compares both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from jupyter_mlinfn.database.columns import Document, Instant
from jupyter_mlinfn.database.migrations import Schema

SCHEMA: Final = Schema(scripts=Path(__file__).parent / "migrations", head="0007")

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
    Column("charge", Text),
    Column("parameters", Document, nullable=False),
    Column("environment_name", Text, nullable=False),
    Column("environment_digest", Text),
    Column("cpus", Integer, nullable=False),
    Column("memory", Integer, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("gpu_memory", Integer),
    Column("gpu_model", Text),
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
    Column("evictions", Integer, nullable=False, server_default="0"),
    Column("checkpoint_at", Instant),
    Column("output", Text),
    Column("progress", Document),
    Column("sweep", Document),
    Column("usage", Document),
    Column("submitted_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("request", Document, nullable=False),
    Column("wishes", Document),
    Column("held", Boolean, nullable=False, server_default=false()),
    Column("owes", Boolean, nullable=False, server_default=false()),
    Index("jobs_by_state", "state", "number"),
    Index("jobs_by_revision", "revision"),
    Index("jobs_by_source", "source", "number"),
    Index("jobs_by_end", "state", "ended_at"),
    Index("jobs_held", "held", sqlite_where=text("held IS 1")),
    Index("jobs_owes", "owes", sqlite_where=text("owes IS 1")),
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
    Column("lost_seconds", Float),
)

points = Table(
    "points",
    metadata,
    Column("job", String(10), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", String(20), nullable=False),
    Column("reason", Document),
    Column("cancelling", Boolean, nullable=False),
    Column("parameters", Document, nullable=False),
    Column("search", Text, nullable=False),
    Column("recorded", Document),
    Column("attempts", Integer, nullable=False),
    Column("host", Text),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("exit_code", Integer),
    Column("output", Text),
    Column("usage", Document),
    Index("points_by_state", "job", "state", "number"),
)

NO_POINT: Final = -1
"""Stands for "the job itself" where a point is part of a key."""

claims = Table(
    "claims",
    metadata,
    Column("job", String(10), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("point", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("machine", Text, nullable=False, index=True),
    Column("cpus", Integer, nullable=False),
    Column("memory", Integer, nullable=False),
)
"""One slot a job or point: the primary key makes two active attempts of it impossible."""

claimed_accelerators = Table(
    "claimed_accelerators",
    metadata,
    Column("machine", Text, primary_key=True),
    Column("uuid", Text, primary_key=True),
    Column("job", String(10), nullable=False),
    Column("point", Integer, nullable=False),
    ForeignKeyConstraint(["job", "point"], ["claims.job", "claims.point"], ondelete="CASCADE"),
    UniqueConstraint("job", "point", "uuid"),
)
"""The primary key makes it impossible to give one accelerator to two jobs."""

tallies = Table(
    "tallies",
    metadata,
    Column("backend", String(60), primary_key=True),
    Column("environment_name", Text, primary_key=True),
    Column("state", String(20), primary_key=True),
    Column("sweep", Boolean, primary_key=True),
    Column("jobs", Integer, nullable=False),
)
"""How many jobs are alike in this; kept by triggers of the database, whoever changes a job."""

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
