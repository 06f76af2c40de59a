"""Connections to a PostgreSQL that may stand still while its machine goes on answering.

A stopped server, or one that waits for a dead disk, keeps its connections open: the kernel's
keepalives are answered, and the server's own limits do not run. Only the client can give up then,
and libpq has no limit for that once a connection is made. Import this late: it loads psycopg.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg

ANSWERS_WITHIN = 20.0
"""Seconds of silence after which a statement is given up, and its connection with it. The server
itself ends what waits longer for a lock, long before."""


class AnsweringConnection(psycopg.Connection[Any]):
    """One that is closed with an ``OperationalError`` when the server stops to answer."""

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """As psycopg's own, for so long at most."""
        return super().wait(_answered(gen, self), *args, **options)


def _answered(
    gen: Generator[Any, Any, Any], connection: psycopg.Connection[Any]
) -> Generator[Any, Any, Any]:
    """``gen``. Who drives it wakes it now and then with nothing: then time is looked at."""
    try:
        asked = next(gen)
        heard = time.monotonic()
        while True:
            ready = yield asked
            now = time.monotonic()
            if ready:
                heard = now
            elif now - heard >= ANSWERS_WITHIN:
                connection.pgconn.finish()
                raise psycopg.OperationalError("it stands still and does not answer")
            asked = gen.send(ready)
    except StopIteration as end:
        return end.value
