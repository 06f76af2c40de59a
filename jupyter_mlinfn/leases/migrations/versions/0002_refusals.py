"""How often nobody could be given a device."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of refusals."""
    op.create_table(
        "lease_refusals",
        sa.Column("pool", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
