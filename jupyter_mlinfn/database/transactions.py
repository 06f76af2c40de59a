"""What every kind of database gives: transactions that claim, snapshots, and errors for people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import Connection, Engine

READ: Final = "mlinfn_read"


class Transactions(ABC):
    """One database. Both ways in raise ``Unavailable`` while it cannot be used.

    A kind says how its engine is opened, which begins each transaction as :data:`READ` among the
    connection's execution options tells it, and what its errors mean.
    """

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction alone among all writers, from its first read on; durable when left.

        Raises :class:`~jupyter_mlinfn.model.errors.Unavailable` when another writer is not done in
        time, or the database is away, full or read-only; nothing of the transaction is kept then.
        """
        with self._translated(), self._opened().connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot. Raises like :meth:`write`."""
        with self._translated(), self._opened().connect() as plain:
            connection = plain.execution_options(**{READ: True})
            with connection.begin():
                yield connection

    @abstractmethod
    def close(self) -> None:
        """Close all connections; the next use opens again."""

    @abstractmethod
    def _opened(self) -> Engine: ...

    @abstractmethod
    def _translated(self) -> AbstractContextManager[None]: ...
