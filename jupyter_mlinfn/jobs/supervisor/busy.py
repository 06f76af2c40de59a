"""How busy the attempt's own accelerators are, as the program says that reads them for panels.

It is a process of its own because a call into a driver may hang, and it ends with this one. It is
started by its name: this room knows nothing of GPUs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.redaction import own_environment

if TYPE_CHECKING:
    from jupyter_mlinfn.process.feed import LineFeed

_PROGRAM: Final = "jupyter_mlinfn.gpus.agent"
_EVERY: Final = "3"


class GpuMeter:
    """``accelerators``: UUIDs, or the numbers by which batch systems name whole GPUs.

    ``options`` are further words for the program.
    """

    def __init__(self, accelerators: Sequence[str], options: Sequence[str] = ()) -> None:
        self._mine = set(accelerators)
        self._options = tuple(options)
        self._feed: LineFeed | None = None
        self._given_up = not accelerators
        self._rows: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        """Let the program end, without waiting for it."""
        if self._feed is not None:
            self._feed.abandon()
        self._feed, self._given_up = None, True

    def pids(self) -> set[int]:
        """The program itself: it is not the job's, and may hang in a driver that is silent."""
        return {self._feed.pid} if self._feed is not None else set()

    def percent(self) -> float | None:
        """Mean of what is known now; ``None`` without accelerators or without a driver."""
        if self._given_up:
            return None
        if self._feed is None:
            self._start()
            return None
        for line in self._feed.lines():
            self._read(line)
        if self._feed.ended:
            self.close()
        told = [row["percent"] for row in self._rows.values() if "percent" in row and self._is(row)]
        return round(sum(told) / len(told), 1) if told else None

    def _start(self) -> None:
        # imported by need: most jobs have no accelerator
        from jupyter_mlinfn.model.errors import PartMissing
        from jupyter_mlinfn.process.feed import LineFeed

        try:
            argv = own_program(_PROGRAM, "--interval", _EVERY, *self._options)
            self._feed = LineFeed(argv, own_environment(os.environ))
        except PartMissing:
            self._given_up = True

    def _read(self, line: bytes) -> None:
        try:
            rows: list[dict[str, Any]] = json.loads(line).get("devices") or []
        except (ValueError, AttributeError):
            return  # a line cut off by the program's end
        for news in rows:  # a device's first row tells all, later ones what changed
            self._rows.setdefault(news["uuid"], {}).update(news)

    def _is(self, row: dict[str, Any]) -> bool:
        whole = str(row.get("index")) if "parent" not in row else ""
        return row["uuid"] in self._mine or whole in self._mine
