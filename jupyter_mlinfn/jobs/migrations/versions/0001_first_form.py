"""The first form of the job index."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables. Times are whole microseconds since 1970 UTC, documents are JSON text."""
    _jobs()
    _attempts()
    _claims()
    op.create_table(
        "deleted",
        sa.Column("id", sa.String(10), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False, index=True),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('revision', 0), ('indexed', 0)")


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(10), nullable=False, unique=True),
        sa.Column("token", sa.String(100), nullable=False, unique=True),
        sa.Column("key", sa.String(200), unique=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("backend", sa.String(60), nullable=False),
        sa.Column("backend_id", sa.Text),
        sa.Column("queue", sa.Text),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("environment_name", sa.Text, nullable=False),
        sa.Column("environment_digest", sa.Text),
        sa.Column("cpus", sa.Integer, nullable=False),
        sa.Column("memory", sa.Integer, nullable=False),
        sa.Column("gpus", sa.Integer, nullable=False),
        sa.Column("time", sa.Integer, nullable=False),
        sa.Column("evictable", sa.Boolean, nullable=False),
        sa.Column("try_first", sa.Boolean, nullable=False),
        sa.Column("rerun_of", sa.String(10)),
        sa.Column("output_folder", sa.Text, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("unknown_since", sa.BigInteger),
        sa.Column("cancelling", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("output", sa.Text),
        sa.Column("progress", sa.Text),
        sa.Column("usage", sa.Text),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("request", sa.Text, nullable=False),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "number"])
    op.create_index("jobs_by_revision", "jobs", ["revision"])
    op.create_index("jobs_by_source", "jobs", ["source", "number"])
    op.create_index("jobs_by_end", "jobs", ["state", "ended_at"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column(
            "job", sa.String(10), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("host", sa.Text),
        sa.Column("accelerators", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("exit_code", sa.Integer),
        sa.Column("usage", sa.Text),
    )


def _claims() -> None:
    op.create_table(
        "claims",
        sa.Column(
            "job", sa.String(10), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("machine", sa.Text, nullable=False, index=True),
        sa.Column("cpus", sa.Integer, nullable=False),
        sa.Column("memory", sa.Integer, nullable=False),
    )
    op.create_table(
        "claimed_accelerators",
        sa.Column("machine", sa.Text, primary_key=True),
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column(
            "job", sa.String(10), sa.ForeignKey("claims.job", ondelete="CASCADE"), nullable=False
        ),
        sa.UniqueConstraint("job", "uuid"),
    )
