"""Jobs say what memory and model of GPU they ask for, and who pays."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three columns, empty for jobs of before. ``gpu_memory`` in bytes."""
    op.add_column("jobs", sa.Column("charge", sa.Text))
    op.add_column("jobs", sa.Column("gpu_memory", sa.Integer))
    op.add_column("jobs", sa.Column("gpu_model", sa.Text))
