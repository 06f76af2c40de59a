"""Jobs that need something beside their run: a notice at the end, a secret kept fresh."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column: jobs of before need nothing."""
    op.add_column("jobs", sa.Column("owes", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("jobs_owes", "jobs", ["owes"], sqlite_where=sa.text("owes IS 1"))
