"""Carries out one restore, then ends: ``python -m jupyter_mlinfn.storage.backups.worker FOLDER``.

A program of its own, because a server ends when somebody closes it, or is killed, and what was
begun goes on (:mod:`~jupyter_mlinfn.storage.backups.restores`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.storage import RestoreTask
from jupyter_mlinfn.process.durable import write_atomically, write_durably
from jupyter_mlinfn.storage.backups.restores import ASSIGNMENT, CANCEL, TASK, Assignment
from jupyter_mlinfn.storage.backups.restoring import Cancelled, Progress, restore
from jupyter_mlinfn.storage.backups.words import counted, told

TELL_EVERY: Final = 0.5
"""Seconds between two words on how far it is."""


def carry_out(place: Path) -> None:
    """Do what lies in ``place``, and tell there how it goes and how it ended."""
    assignment = Assignment.model_validate_json((place / ASSIGNMENT).read_bytes())
    task, progress = assignment.task, Progress()
    telling = _Telling(place, task, progress)
    progress.stop = telling.look
    try:
        done = restore(assignment.area, assignment.asked, task.id, progress)
        ended = told(task.name, done, progress)
    except Cancelled:
        text = f"Stopped. {task.name} was not restored and nothing was changed."
        ended = {"state": "cancelled", "text": text}
    except MlinfnError as error:
        ended = {"state": "failed", "text": error.text, "code": error.code}
    except Exception:
        text = "Something went wrong in the program. Nothing was put in its place."
        telling.end({"state": "failed", "text": text, "code": "internal"})
        raise
    telling.end(ended)


class _Telling:
    """Writes down how far ``progress`` is, and looks whether somebody asked to stop."""

    def __init__(self, place: Path, task: RestoreTask, progress: Progress) -> None:
        self._place = place
        self._task = task
        self._progress = progress
        self._told = time.monotonic()

    def look(self) -> bool:
        """Whether to stop."""
        if time.monotonic() - self._told >= TELL_EVERY:
            self._told = time.monotonic()
            with suppress(OSError):  # a full disk is told by what is being restored
                write_atomically(self._place / TASK, self._now({}).model_dump_json())
        return (self._place / CANCEL).exists()

    def end(self, how: dict[str, str | int | None]) -> None:
        """The last word."""
        write_durably(self._place / TASK, self._now(how).model_dump_json())

    def _now(self, more: dict[str, str | int | None]) -> RestoreTask:
        return self._task.model_copy(update={**counted(self._progress), **more})


def main(argv: Sequence[str]) -> int:
    """Carry out the restore of a folder; the exit code."""
    carry_out(Path(argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
