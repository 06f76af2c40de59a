"""The book of leases: no device is ever handed out twice.

Import this late: it loads SQLAlchemy. Every method is short, synchronous and thread-safe; several
processes may use one book at the same time, on SQLite or PostgreSQL alike. All methods raise
:class:`~jupyter_mlinfn.model.errors.Unavailable` while the database cannot be used; nothing is
changed then, and the next call tries anew.

The order of a session: **claim** → container made and labelled with the lease's id → **confirm** →
**release** when it stopped. Whoever is killed in between leaves what :meth:`LeaseBook.reconcile`
sets right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from jupyter_mlinfn.database.engine import Damaged, Database
from jupyter_mlinfn.database.opening import open_database
from jupyter_mlinfn.database.transactions import Transactions
from jupyter_mlinfn.leases import inventory, line
from jupyter_mlinfn.leases.reconciling import GONE, Look, reconcile
from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.leases.rows import (
    begin,
    change,
    end,
    free_devices,
    is_open,
    leases_where,
    new_id,
    pool_states,
    revision,
)
from jupyter_mlinfn.leases.steady import Steady
from jupyter_mlinfn.leases.tables import SCHEMA, leases
from jupyter_mlinfn.model.errors import Conflict, NotFound
from jupyter_mlinfn.model.leases import (
    Device,
    Ended,
    Labelled,
    Lease,
    Place,
    PoolState,
    Reconciled,
)

GRACE: Final = 60.0
"""Seconds for which a lease without a container is kept; with a look at the containers every 30 s
none is held for more than two minutes in vain."""
LONGEST_START: Final = 3600.0
"""Seconds after which a start that neither was confirmed nor failed is not waited for."""
LINE_PATIENCE: Final = 60.0
"""Seconds after which a waiter who is not heard of has left."""

_STARTING: Final = "starting"


def _utc() -> datetime:
    return datetime.now(UTC)


def open_book(where: str | Path, *, grace: float = GRACE, patience: float = 5.0) -> LeaseBook:
    """The book at a path or a database URL. Raises InputError for a URL that cannot be read."""
    return LeaseBook(open_database(where, SCHEMA, patience=patience), grace=grace)


class LeaseBook:
    """Leases, devices and the line, in ``database``.

    ``grace`` and ``line_patience`` in seconds of a clock that never jumps (``monotonic``);
    ``clock`` tells the time of day that is written down.
    """

    def __init__(
        self,
        database: Transactions,
        *,
        grace: float = GRACE,
        line_patience: float = LINE_PATIENCE,
        clock: Callable[[], datetime] = _utc,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.database = database
        self._grace = grace
        self._line_patience = line_patience
        self._clock = clock
        self._steady = Steady(monotonic)
        self._lock = threading.Lock()
        self._starting: set[str] = set()

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self.database.close()

    # --- devices --------------------------------------------------------------------------------

    def set_devices(self, devices: Sequence[Device], host: str) -> None:
        """``devices`` are all that ``host`` has now.

        What is new is handed out after the next :meth:`reconcile` of the host: a container may
        hold it. What is missing drains; a :meth:`reconcile` tells when it stayed away for the
        grace and is lost, with its lease. Raises
        :class:`~jupyter_mlinfn.model.errors.InputError` for a device of another host or named
        twice.
        """
        with self._write() as connection:
            inventory.take_in(connection, devices, host)

    def pools(self) -> tuple[PoolState, ...]:
        """How each pool stands."""
        with self._read() as connection:
            return pool_states(connection, self._clock())

    # --- leases ---------------------------------------------------------------------------------

    def claim(self, pool: str, user: str, server: str, until: datetime | None) -> Lease:
        """One device of ``pool`` for this session, planned until ``until``; durable when given.

        Those in line go first: who stands in it gives his place up for the device.
        Raises :class:`NoneFree`.
        """
        now, made = self._clock(), new_id()
        self._begin_start(made)
        try:
            with self._write() as connection:
                taken = self._take(connection, made, pool, user, server, until, now)
                # the refusal is said outside: what was written of the line must stay
                state = pool_states(connection, now, (pool,))[0]
        except BaseException:
            self._end_start(made)
            raise
        if taken is None:
            self._end_start(made)
            raise NoneFree(state, now)
        return taken

    def confirm(self, lease: str, container: str) -> Lease:
        """The container of ``lease`` runs.

        Raises :class:`Conflict` (``lease-ended``) when the lease has ended meanwhile: the device
        may be another's, so the container must be removed; :class:`NotFound` for no such lease.
        """
        with self._write() as connection:
            known = _get(connection, lease)
            if known.released is not None:
                raise Conflict(
                    f"The lease of {known.device.uuid} ended before its container ran. "
                    "Start your server again.",
                    code="lease-ended",
                )
            if known.container != container:
                change(connection, lease, container=container)
            known = _get(connection, lease)
        self._end_start(lease)
        return known

    def extend(self, lease: str, until: datetime | None) -> Lease:
        """Another planned end. Raises :class:`NotFound`, :class:`Conflict` (``lease-ended``)."""
        with self._write() as connection:
            known = _get(connection, lease)
            if known.released is not None:
                raise Conflict("This lease has ended already.", code="lease-ended")
            change(connection, lease, until=until)
            return _get(connection, lease)

    def release(self, lease: str, ended: Ended) -> Lease | None:
        """The container is gone, or was never made: the device is free.

        A lease that has ended keeps its first end. ``None``: there is no such lease. Where the
        database cannot be used, the next looks at the containers do it.
        """
        self._end_start(lease)
        with self._write() as connection:
            found = leases_where(connection, leases.c.id == lease)
            if found and found[0].released is None:
                end(connection, lease, ended, self._clock())
                found = leases_where(connection, leases.c.id == lease)
        return found[0] if found else None

    def get(self, lease: str) -> Lease:
        """The lease with this id. Raises :class:`NotFound`."""
        with self._read() as connection:
            return _get(connection, lease)

    def held_by(self, user: str, server: str) -> tuple[Lease, ...]:
        """The open leases of one session."""
        own = (leases.c.person == user, leases.c.server == server)
        with self._read() as connection:
            return leases_where(connection, is_open(), *own)

    def active(self) -> tuple[Lease, ...]:
        """All open leases, the oldest first."""
        with self._read() as connection:
            return leases_where(connection, is_open())

    # --- the line -------------------------------------------------------------------------------

    def wait(self, pool: str, user: str, server: str) -> Place:
        """A place in the line of ``pool``; the one it has, for a session that waits already.

        The waiter asks for :meth:`place`, or tries :meth:`claim`, at least every half minute.
        """
        with self._write() as connection:
            ticket = line.stand(connection, pool, user, server, self._clock())
            return self._place(connection, ticket)

    def place(self, ticket: str) -> Place:
        """Where the waiter stands, who is heard by this. Raises :class:`NotFound`
        (``place-gone``)."""
        with self._write() as connection:
            line.pool_of(connection, ticket)
            line.hear(connection, ticket)
            return self._place(connection, ticket)

    def leave(self, ticket: str) -> None:
        """The waiter goes; nothing happens when his place is gone already."""
        with self._write() as connection:
            line.drop(connection, ticket, self._steady)

    # --- the truth ------------------------------------------------------------------------------

    def mark(self) -> int:
        """To be asked right before the containers are listed, and given to :meth:`reconcile`: the
        list says nothing about leases that change later."""
        with self._read() as connection:
            return revision(connection)

    def reconcile(
        self,
        host: str,
        labelled: Sequence[Labelled],
        now: datetime,
        mark: int | None = None,
        starting: Collection[tuple[str, str]] | None = None,
    ) -> Reconciled:
        """Set the leases of ``host`` right from ``labelled``, all its containers with a label.

        To be called at the start of the hub, before anybody claims, and every half minute. What is
        held back for the grace is counted by a clock that never jumps; ``now`` is written down.
        ``starting``: the sessions, as user and server, whose containers are being made; where it
        is not said, those that claimed in this process and did not confirm for up to an hour.
        """
        with self._write() as connection:
            lost = inventory.lose(connection, host, self._steady, self._grace, now)
            look = Look(host, labelled, now, mark, self._being_started(connection, starting))
            found = reconcile(connection, look, self._steady, self._grace)
            if lost:
                gone = leases_where(connection, leases.c.id.in_(lost))
                found = found.model_copy(update={"released": gone + found.released})
        return found

    # --- inside ---------------------------------------------------------------------------------

    def _take(
        self,
        connection: Connection,
        made: str,
        pool: str,
        user: str,
        server: str,
        until: datetime | None,
        now: datetime,
    ) -> Lease | None:
        here = line.waiters(connection, pool, self._steady, self._line_patience)
        before, ticket = line.ahead(here, user, server)
        free = free_devices(connection, (pool,))
        if len(free) <= before:
            line.note_refusal(connection, pool)
            if ticket is not None:
                line.hear(connection, ticket)
            return None
        values = {"person": user, "server": server, "acquired": now, "until": until}
        begin(connection, free[0].uuid, id=made, **values)
        if ticket is not None:
            line.drop(connection, ticket, self._steady)
        return _get(connection, made)

    def _place(self, connection: Connection, ticket: str) -> Place:
        pool = line.pool_of(connection, ticket)
        here = line.waiters(connection, pool, self._steady, self._line_patience)
        return line.place_of(connection, ticket, here, self._clock())

    def _begin_start(self, lease: str) -> None:
        self._steady.lasted(_STARTING, lease)
        with self._lock:
            self._starting.add(lease)

    def _end_start(self, lease: str) -> None:
        with self._lock:
            self._starting.discard(lease)
        self._steady.forget(_STARTING, lease)
        self._steady.forget(GONE, lease)

    def _being_started(
        self, connection: Connection, sessions: Collection[tuple[str, str]] | None
    ) -> frozenset[str]:
        with self._lock:
            going = tuple(self._starting)
        for lease in going:
            if self._steady.lasted(_STARTING, lease) >= LONGEST_START:
                self._end_start(lease)
        with self._lock:
            own = frozenset(self._starting)
        if sessions is None or not own:
            return own
        begun = leases_where(connection, leases.c.id.in_(own))
        return frozenset(one.id for one in begun if (one.user, one.server) in sessions)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._set_aside_where_damaged(), self.database.write() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._set_aside_where_damaged(), self.database.read() as connection:
            yield connection

    @contextmanager
    def _set_aside_where_damaged(self) -> Iterator[None]:
        """Damage is told once. The next use begins a new book, which hands nothing out before
        the containers have told what is held."""
        try:
            yield
        except Damaged:
            if isinstance(self.database, Database):
                self.database.set_aside()
            raise


def _get(connection: Connection, lease: str) -> Lease:
    found = leases_where(connection, leases.c.id == lease)
    if not found:
        raise NotFound(f"There is no lease {lease[:40]}.", code="no-lease")
    return found[0]
