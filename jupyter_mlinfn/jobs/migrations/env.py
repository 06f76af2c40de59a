"""How alembic runs these scripts: in the transaction it is given, which holds the write lock."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
