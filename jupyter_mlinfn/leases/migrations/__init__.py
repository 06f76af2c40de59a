"""Alembic scripts of the job index; run by ``database.migrations``."""
