"""The first form of the leases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables. Times are whole microseconds since 1970 UTC."""
    op.create_table(
        "lease_devices",
        sa.Column("uuid", sa.String(200), primary_key=True),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("mig", sa.Text),
        sa.Column("parent", sa.String(200)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("looked", sa.Boolean, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
    )
    op.create_index("lease_devices_by_pool", "lease_devices", ["pool"])
    op.create_index("lease_devices_by_host", "lease_devices", ["host"])
    _leases()
    op.create_table(
        "lease_line",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("ticket", sa.String(40), nullable=False, unique=True),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.UniqueConstraint("pool", "person", "server", name="one_place"),
    )


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("device", sa.String(200), sa.ForeignKey("lease_devices.uuid"), nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("acquired", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("container", sa.Text),
        sa.Column("released", sa.BigInteger),
        sa.Column("ended", sa.String(20)),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_index("leases_by_revision", "leases", ["revision"])
    op.create_index("leases_by_person", "leases", ["person", "server"])
    op.create_index(
        "one_open_lease",
        "leases",
        ["device"],
        unique=True,
        sqlite_where=sa.text("released IS NULL"),
        postgresql_where=sa.text("released IS NULL"),
    )
