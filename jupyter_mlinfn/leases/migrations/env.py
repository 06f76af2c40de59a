"""How alembic runs these scripts: in the transaction it is given, which holds the write lock."""

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], version_table=given["versions"])
context.run_migrations()
