"""A real PostgreSQL, for the tests that want one."""

from tests.systems.postgres import postgres

__all__ = ["postgres"]
