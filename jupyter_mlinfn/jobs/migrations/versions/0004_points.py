"""The points of sweeps, and slots that belong to one of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of points; make the tables of slots anew, for their keys name a point."""
    op.add_column("jobs", sa.Column("sweep", sa.Text))
    _points()
    op.execute("DROP INDEX ix_claims_machine")
    op.execute("ALTER TABLE claimed_accelerators RENAME TO old_accelerators")
    op.execute("ALTER TABLE claims RENAME TO old_claims")
    _claims()
    op.execute(
        "INSERT INTO claims (job, point, attempt, machine, cpus, memory) "
        "SELECT job, -1, attempt, machine, cpus, memory FROM old_claims"
    )
    op.execute(
        "INSERT INTO claimed_accelerators (machine, uuid, job, point) "
        "SELECT machine, uuid, job, -1 FROM old_accelerators"
    )
    op.drop_table("old_accelerators")
    op.drop_table("old_claims")


def _points() -> None:
    op.create_table(
        "points",
        sa.Column(
            "job", sa.String(10), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("cancelling", sa.Boolean, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("recorded", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("host", sa.Text),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("exit_code", sa.Integer),
        sa.Column("output", sa.Text),
        sa.Column("usage", sa.Text),
    )
    op.create_index("points_by_state", "points", ["job", "state", "number"])


def _claims() -> None:
    op.create_table(
        "claims",
        sa.Column(
            "job", sa.String(10), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("point", sa.Integer, primary_key=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("machine", sa.Text, nullable=False, index=True),
        sa.Column("cpus", sa.Integer, nullable=False),
        sa.Column("memory", sa.Integer, nullable=False),
    )
    op.create_table(
        "claimed_accelerators",
        sa.Column("machine", sa.Text, primary_key=True),
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("job", sa.String(10), nullable=False),
        sa.Column("point", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["job", "point"], ["claims.job", "claims.point"], ondelete="CASCADE"
        ),
        sa.UniqueConstraint("job", "point", "uuid"),
    )
