"""Jobs that come after others, and what else is wished for beside a job's run."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns: jobs of before wish for nothing and are not held back."""
    op.add_column("jobs", sa.Column("wishes", sa.Text))
    op.add_column("jobs", sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("jobs_held", "jobs", ["held"], sqlite_where=sa.text("held IS 1"))
