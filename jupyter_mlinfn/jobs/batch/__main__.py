"""``python -m jupyter_mlinfn.jobs.batch JOB_FOLDER SYSTEM [POINT]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_mlinfn.jobs.batch.taking import end_exhausted, end_state, home_of, over, point_of, take
from jupyter_mlinfn.jobs.supervisor.farewell import after_the_end
from jupyter_mlinfn.jobs.supervisor.oversight import Oversight


def main(argv: list[str]) -> int:
    """Run one attempt to its end; 0 when it succeeded or nothing was left to do, else 1."""
    system = argv[2]
    point = point_of(argv[3], system, os.environ) if len(argv) > 3 else None
    home = home_of(Path(argv[1]).resolve(), point)
    if over(home):
        sys.stdout.write("This job has ended already; nothing is run.\n")
        return 0
    taken = take(home, system, os.environ)
    if taken is None:
        sys.stdout.write("Another start of this job is running; nothing is run here.\n")
        return 0
    folder, slot, _lock = taken
    if end_exhausted(folder):
        after_the_end(folder)
        return 1
    Oversight(folder, slot).run()
    return 0 if end_state(folder) == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
