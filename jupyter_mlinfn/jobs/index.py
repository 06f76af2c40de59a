"""The opened index: complete before its first use, whatever has become of its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, select

from jupyter_mlinfn.database.engine import Damaged, Database
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.rebuild import add_missing, index_once, read_stories
from jupyter_mlinfn.jobs.tables import SCHEMA, jobs


class JobIndex:
    """The database of jobs at ``path``.

    With ``folders``, an index that is new, was lost or is damaged is filled from them before it
    is used; a damaged file is kept beside it. ``patience``: seconds to wait for another writer.
    """

    def __init__(self, path: Path, folders: JobFolders | None, patience: float) -> None:
        self.database = Database(path, SCHEMA, patience=patience)
        self._folders = folders
        self._filled = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start; durable when left."""
        self._fill()
        with self._set_aside_where_damaged(), self.database.write() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot."""
        self._fill()
        with self._set_aside_where_damaged(), self.database.read() as connection:
            yield connection

    def adopt(self, folders: JobFolders, ids: Iterable[str]) -> int:
        """Take in those of ``ids`` that are submitted and have no row; how many."""
        stories = read_stories(folders, ids)
        if not stories:
            return 0
        with self.write() as connection:
            return add_missing(connection, stories)

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that have a row."""
        with self.read() as connection:
            return set(connection.execute(select(jobs.c.id)).scalars()) & set(ids)

    @contextmanager
    def _set_aside_where_damaged(self) -> Iterator[None]:
        """Damage in the middle of the file shows only where it is read: it is told once, and the
        next use finds an index that is made anew."""
        try:
            yield
        except Damaged:
            if self._folders is not None:
                self.database.set_aside()
            raise

    def _fill(self) -> None:
        if self._folders is None:
            return
        try:
            generation = self.database.open()
            if generation == self._filled:
                return
            index_once(self.database, self._folders)
        except Damaged:
            self.database.set_aside()
            generation = self.database.open()
            index_once(self.database, self._folders)
        self._filled = generation
