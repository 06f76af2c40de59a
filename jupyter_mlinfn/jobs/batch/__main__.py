"""``python -m jupyter_mlinfn.jobs.batch JOB_FOLDER SYSTEM``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_mlinfn.jobs.batch.taking import end_state, over, take
from jupyter_mlinfn.jobs.supervisor.oversight import Oversight


def main(argv: list[str]) -> int:
    """Run one attempt to its end; 0 when it succeeded or nothing was left to do, else 1."""
    job, system = Path(argv[1]).resolve(), argv[2]
    if over(job):
        sys.stdout.write("This job has ended already; nothing is run.\n")
        return 0
    taken = take(job, system, os.environ)
    if taken is None:
        sys.stdout.write("Another start of this job is running; nothing is run here.\n")
        return 0
    folder, slot, _lock = taken
    Oversight(folder, slot).run()
    return 0 if end_state(folder) == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
