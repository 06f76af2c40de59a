"""A line for each thing that was made or removed, or was to be: who, what, where, with what end."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime

from jupyter_mlinfn.hub.broker.persons import Person
from jupyter_mlinfn.hub.reclaim.journal import Journal
from jupyter_mlinfn.model.states import Frozen

LOG = logging.getLogger("mlinfn-broker")


class Line(Frozen):
    """``status`` and ``code`` are what was answered; ``code`` empty: it was done."""

    time: AwareDatetime
    user: str
    server: str
    verb: str
    kind: str
    namespace: str
    name: str
    status: int
    code: str = ""


class Audit:
    """Lines in ``file``, and in the log."""

    def __init__(self, file: Path) -> None:
        self._journal = Journal(file)
        self._lock = asyncio.Lock()

    async def note(
        self, who: Person, verb: str, kind: str, name: str, *, status: int, code: str = ""
    ) -> None:
        """Write one line. What cannot be written is in the log alone."""
        line = Line(
            time=datetime.now(UTC), user=who.user, server=who.server, verb=verb, kind=kind,
            namespace=who.namespace, name=name, status=status, code=code,
        )  # fmt: skip
        LOG.info("%s", line.model_dump_json())
        try:
            async with self._lock:  # a file that turns is turned once
                await asyncio.to_thread(self._journal.write, line)
        except OSError:
            LOG.exception("The audit's file cannot be written")
