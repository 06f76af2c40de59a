"""``python -m jupyter_mlinfn.jobs.supervisor ATTEMPT_FOLDER [LOCK]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.supervisor.oversight import Oversight
from jupyter_mlinfn.process import locks


def main(argv: list[str]) -> int:
    """Supervise one attempt to its end; 0 also when another supervisor does, 2 without a claim.

    ``LOCK``: the descriptor of the attempt's lock, held by who started this.
    """
    _, path, *given = argv
    folder = AttemptFolder(Path(path).resolve())
    lock = int(given[0]) if given else locks.acquire(folder.supervisor_lock)
    if lock is None or folder.end.exists():
        return 0
    os.set_inheritable(lock, False)  # what outlives a killed supervisor must not pass for it
    slot = folder.read_slot()
    if slot is None:
        return 2
    Oversight(folder, slot).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
