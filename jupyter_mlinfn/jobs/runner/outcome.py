"""What the runner says of its run, and where it says it."""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from jupyter_mlinfn.jobs.attempt import AttemptFolder, now
from jupyter_mlinfn.jobs.credentials import Redactor
from jupyter_mlinfn.jobs.exactness.node import write_node
from jupyter_mlinfn.jobs.waking import wake
from jupyter_mlinfn.process.durable import write_durably


@dataclass(frozen=True)
class Outcome:
    """``result.json``. ``stopped``: asked to end (SIGTERM), the supervisor knows why."""

    state: Literal["succeeded", "failed", "stopped"]
    reason: dict[str, str] | None = None
    exit_code: int | None = None
    cells_done: int = 0
    cells_total: int = 0

    @classmethod
    def failed(cls, code: str, text: str, exit_code: int | None = None) -> Outcome:
        """A failure with its reason: a stable code and a sentence."""
        return cls("failed", {"code": code, "text": text}, exit_code)


class Ended(Exception):
    """Ends the run with an outcome from wherever it became clear."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.state)
        self.outcome = outcome


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; real-time signals have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def write_result(folder: AttemptFolder, outcome: Outcome) -> None:
    """Say it durably. Raises OSError when the disk is full."""
    told = json.dumps({**asdict(outcome), "at": now()}, indent=1)
    write_durably(folder.result, Redactor(folder.job_folder)(told))


def begin(folder: AttemptFolder, cells_total: int = 0) -> None:
    """The point of no return, durably written before the first line of the person's code."""
    write_durably(folder.begun, json.dumps({"at": now()}))
    folder.event("begun", cells_total=cells_total)
    slot = folder.read_slot()
    with contextlib.suppress(OSError):  # a job does not fail for what is told about its machine
        write_node(folder.node, slot.accelerators if slot else ())
    if slot is not None and slot.state_dir:
        wake(Path(slot.state_dir))  # so that the index says "running" at once
