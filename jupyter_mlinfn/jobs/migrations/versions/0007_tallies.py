"""How many jobs there are of each kind, kept by the database: nobody has to count them all."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_PRESENT = """
INSERT INTO tallies (backend, environment_name, state, sweep, jobs)
SELECT backend, environment_name, state, sweep IS NOT NULL, count(*) FROM jobs GROUP BY 1, 2, 3, 4
"""
_MORE = """
INSERT INTO tallies (backend, environment_name, state, sweep, jobs)
SELECT NEW.backend, NEW.environment_name, NEW.state, NEW.sweep IS NOT NULL, 0
WHERE NOT EXISTS (
    SELECT 1 FROM tallies
    WHERE backend = NEW.backend AND environment_name = NEW.environment_name
    AND state = NEW.state AND sweep = (NEW.sweep IS NOT NULL)
);
UPDATE tallies SET jobs = jobs + 1
WHERE backend = NEW.backend AND environment_name = NEW.environment_name
AND state = NEW.state AND sweep = (NEW.sweep IS NOT NULL);
"""
_FEWER = """
UPDATE tallies SET jobs = jobs - 1
WHERE backend = OLD.backend AND environment_name = OLD.environment_name
AND state = OLD.state AND sweep = (OLD.sweep IS NOT NULL);
DELETE FROM tallies
WHERE backend = OLD.backend AND environment_name = OLD.environment_name
AND state = OLD.state AND sweep = (OLD.sweep IS NOT NULL) AND jobs <= 0;
"""
_OTHER = """
OLD.backend IS NOT NEW.backend OR OLD.environment_name IS NOT NEW.environment_name
OR OLD.state IS NOT NEW.state OR (OLD.sweep IS NULL) IS NOT (NEW.sweep IS NULL)
"""


def upgrade() -> None:
    """Count what is there once; from then on each change of a job is counted with it."""
    op.create_table(
        "tallies",
        sa.Column("backend", sa.String(60), primary_key=True),
        sa.Column("environment_name", sa.Text, primary_key=True),
        sa.Column("state", sa.String(20), primary_key=True),
        sa.Column("sweep", sa.Boolean, primary_key=True),
        sa.Column("jobs", sa.Integer, nullable=False),
    )
    op.execute(_PRESENT)
    op.execute(f"CREATE TRIGGER tally_new AFTER INSERT ON jobs BEGIN {_MORE} END")
    op.execute(f"CREATE TRIGGER tally_gone AFTER DELETE ON jobs BEGIN {_FEWER} END")
    op.execute(
        "CREATE TRIGGER tally_changed AFTER UPDATE OF backend, environment_name, state, sweep "
        f"ON jobs WHEN {_OTHER} BEGIN {_MORE} {_FEWER} END"
    )
