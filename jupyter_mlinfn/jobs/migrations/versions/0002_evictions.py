"""How often a job was evicted, the age of its newest checkpoint, what an attempt lost."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Jobs of before say 0 and nothing."""
    op.add_column("jobs", sa.Column("evictions", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("checkpoint_at", sa.BigInteger))
    op.add_column("attempts", sa.Column("lost_seconds", sa.Float))
