"""The program that reads the GPUs: one line of JSON a sample, on standard output.

    python -I -m jupyter_mlinfn.gpus.agent --interval 1.0 [--once SECONDS] [--simulated]

A process of its own, because a driver call that hangs cannot be interrupted in a thread, and
lean, because one runs beside every server that somebody watches: standard library and
nvidia-ml-py only. Each card has its thread and its deadline; a card that does not come back is
``silent`` with the last known values while all others go on. The program ends when its standard
input is closed, that is with its reader, and with code 75 when the devices are not the same any
more: a fresh process looks again. The lines are read as ``gpus.reading.Reading``.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jupyter_mlinfn.gpus.crew import Crew
from jupyter_mlinfn.gpus.nvml import Nvml
from jupyter_mlinfn.gpus.processes import Namespace, ProcessFacts, ProcessReader
from jupyter_mlinfn.gpus.source import (
    SILENT_AFTER,
    SILENT_DEVICE,
    SILENT_DRIVER,
    DeviceRow,
    FactsRow,
    LayoutChanged,
    NoDevices,
    Source,
    unknown_row,
)

if TYPE_CHECKING:
    from jupyter_mlinfn.gpus.simulated.scene import Scene

DEADLINE: Final = 0.4
# Who the processes are is looked up again after so many seconds, or when others come.
_LOOK_AGAIN: Final = 5.0
_LOOK_AGAIN_EXIT: Final = 75
_SILENT: Final = {
    "code": "silent",
    "text": SILENT_DRIVER,
}


class Agent:
    """Reads ``source`` again and again; :meth:`sample` never takes much longer than deadlines."""

    def __init__(
        self, source: Source, processes: ProcessReader, *, deadline: float = DEADLINE
    ) -> None:
        self._source = source
        self._processes = processes
        self._deadline = deadline
        self._opener: Crew[int] = Crew({"open": source.open})
        self._cards: Crew[list[DeviceRow] | None] | None = None
        self._people = Crew({"people": self._look_at_processes})
        self._pids: set[int] = set()
        self._facts: dict[int, ProcessFacts] = {}
        self._namespace: Namespace = "unknown"
        self._latest: dict[str, tuple[float, list[DeviceRow]]] = {}
        self._opened = time.monotonic()
        self._count = 0
        self._looked = float("-inf")
        self._lines = 0
        self._told: dict[str, DeviceRow] = {}
        self._told_people: dict[int, ProcessFacts] | None = None

    def sample(self) -> dict[str, Any] | None:
        """One complete sample; ``None`` while the first answers are still awaited.

        Raises :class:`NoDevices` and :class:`LayoutChanged`.
        """
        if self._cards is None and not self._open():
            return self._silent_driver()
        self._read_cards()
        self._ask_for_people()
        waited = time.monotonic() - self._opened
        complete = len(self._latest) == self._count or waited > SILENT_AFTER
        return self._document() if complete else None

    def _ask_for_people(self) -> None:
        before, now = self._pids, time.monotonic()
        self._pids = {
            process["pid"]
            for _, rows in self._latest.values()
            for row in rows
            for process in row["processes"] or ()
        }
        settled = self._pids == before and self._namespace != "unknown"
        if settled and now - self._looked < _LOOK_AGAIN:
            return
        self._looked = now
        for answer in self._people.round(self._deadline).values():
            _raise(answer)

    def _open(self) -> bool:
        count = self._opener.round(self._deadline).get("open")
        if count is None:
            return False
        if isinstance(count, Exception):
            raise count
        self._count = count
        self._opened = time.monotonic()
        tasks = {str(index): partial(self._source.read, index) for index in range(count)}
        self._cards = Crew({**tasks, "check": self._check})
        return True

    def _check(self) -> None:
        self._source.check()

    def _read_cards(self) -> None:
        assert self._cards is not None
        for name, rows in self._cards.round(self._deadline).items():
            _raise(rows)
            if isinstance(rows, list):
                self._latest[name] = (time.monotonic(), rows)

    def _look_at_processes(self) -> None:
        pids = set(self._pids)
        self._facts = self._processes.facts(pids)
        self._namespace = self._processes.namespace(pids)

    def _silent_driver(self) -> dict[str, Any] | None:
        waited = time.monotonic() - self._opened
        if waited < SILENT_AFTER:
            return None
        return {**_frame(self._source.facts), "missing": _SILENT, "hung": waited}

    def _document(self) -> dict[str, Any]:
        assert self._cards is not None
        rows = {row["uuid"]: row for index in range(self._count) for row in self._rows(index)}
        before, self._told = self._told, rows
        people = self._facts if self._facts != self._told_people else None
        self._told_people = self._facts
        self._lines += 1
        return {
            **_frame(self._source.facts),
            "number": self._lines - 1,
            "layout": list(rows) if list(rows) != list(before) else None,
            "devices": [
                _news(before.get(uuid), row)
                for uuid, row in rows.items()
                if row != before.get(uuid)
            ],
            "people": people,
            "namespace": self._namespace,
            "hung": max(self._cards.hung().values(), default=0.0),
        }

    def _rows(self, index: int) -> list[DeviceRow]:
        """A card's latest rows, marked as silent when they are old."""
        taken, rows = self._latest.get(str(index), (self._opened, [_unread(index)]))
        age = time.monotonic() - taken
        if age <= SILENT_AFTER and str(index) in self._latest:
            return rows
        return [
            {**row, "state": "silent", "problem": SILENT_DEVICE, "age": round(age, 1)}
            for row in rows
        ]


def _frame(facts: FactsRow) -> dict[str, Any]:
    return {
        "time": time.time(),
        "boot": time.clock_gettime(time.CLOCK_BOOTTIME),
        "facts": facts,
        "missing": None,
        "devices": [],
    }


def _news(before: DeviceRow | None, row: DeviceRow) -> dict[str, object]:
    """What is told of a device: what changed, of a new one what is there (nothing is default)."""
    if before is None:
        return {name: value for name, value in row.items() if value is not None}
    old: Mapping[str, object] = before
    news = {
        name: value for name, value in row.items() if value is not old[name] and value != old[name]
    }
    return {"uuid": row["uuid"], **news}


def _unread(index: int) -> DeviceRow:
    """A card that never answered since we look."""
    return unknown_row(f"GPU-{index}", index, f"GPU {index}")


def _raise(answer: object) -> None:
    if isinstance(answer, Exception):
        raise answer


def main(arguments: list[str] | None = None) -> int:
    """Prints samples until the reader is gone; the exit code."""
    options = _parser().parse_args(arguments)
    threading.Thread(target=_end_with_reader, name="gpu-reader", daemon=True).start()
    scene: Scene | None = None
    try:
        if options.simulated:
            scene = _simulate()
            options.library = str(scene.library)
        if options.library:
            # The loader finds a library by its SONAME once one of that name is loaded.
            ctypes.CDLL(options.library)
        processes = ProcessReader(options.devices, namespace="same" if scene else None)
        return _run(Agent(Nvml(), processes), options, scene)
    except NoDevices as nothing:
        missing = {"code": nothing.code, "text": nothing.text}
        facts: FactsRow = {"driver": None, "nvml": None, "cuda": None}
        _say({**_frame(facts), "missing": missing, "simulated": options.simulated})
        return 0
    except LayoutChanged:
        return _LOOK_AGAIN_EXIT


def _simulate() -> Scene:
    from jupyter_mlinfn.gpus.simulated.scene import Scene  # brings pydantic along

    scene = Scene()
    scene.write()
    return scene


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jupyter_mlinfn.gpus.agent")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between samples")
    parser.add_argument("--once", type=float, metavar="SECONDS", help="one sample in this time")
    parser.add_argument("--simulated", action="store_true", help="simulated cards that move")
    parser.add_argument("--library", help="the driver's library, if not the installed one")
    parser.add_argument("--devices", default="/dev/nvidia", help="how device files begin")
    return parser


def _run(agent: Agent, options: argparse.Namespace, scene: Scene | None) -> int:
    pace = 0.05 if options.once else options.interval
    started = time.monotonic()
    ticks = 0
    while True:
        if scene:
            scene.write()
        document = agent.sample()
        if document:
            _say({**document, "simulated": scene is not None})
        passed = time.monotonic() - started
        if options.once and (document or passed > options.once):
            return 0
        ticks = max(ticks + 1, int(passed / pace))
        time.sleep(max(0.0, started + ticks * pace - time.monotonic()))


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _end_with_reader() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)  # whatever hangs in a driver call


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a hung thread must not hold up the end
