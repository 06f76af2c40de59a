"""``python -m jupyter_mlinfn.jobs.runner ATTEMPT_FOLDER``."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from pathlib import Path

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome, write_result
from jupyter_mlinfn.jobs.runner.stopping import Stopping
from jupyter_mlinfn.process import locks

ANOTHER_RUNS = 75


def main(argv: list[str]) -> int:
    """Run one attempt. The lock is held to the end: nobody else ever runs this attempt."""
    folder = AttemptFolder(Path(argv[1]).resolve())
    lock = locks.acquire(folder.runner_lock)
    if lock is None:
        return ANOTHER_RUNS
    if folder.begun.exists() or folder.result.exists():
        return ANOTHER_RUNS
    stopping = Stopping()
    signal.signal(signal.SIGTERM, stopping.on_signal)
    try:
        outcome = _run(folder, stopping)
    except Ended as ended:
        outcome = ended.outcome
    except Exception as error:
        traceback.print_exc()  # into the job's log
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if not full and not folder.begun.exists():
            return 1  # nothing ran: the supervisor tries again
        outcome = _disk_full(error) if full else _our_mistake(error)
    write_result(folder, outcome)
    return 0


def _disk_full(error: Exception) -> Outcome:
    return Outcome.failed("disk-full", f"The disk was full: {error}.")


def _our_mistake(error: Exception) -> Outcome:
    text = (
        f"The program that runs jobs failed itself ({type(error).__name__}); your code is not the "
        "cause. The end of the log holds the details: please report them."
    )
    return Outcome.failed("runner-died", text)


def _run(folder: AttemptFolder, stopping: Stopping) -> Outcome:
    try:
        spec = folder.point_spec()
    except ValueError as error:
        text = f"The parameters cannot be read: {error}. None of your code ran. Submit it again."
        raise Ended(Outcome.failed("bundle-damaged", text)) from error
    # imported by need: a script does not pay for nbclient, a notebook starts its kernel first
    if spec["kind"] in ("script", "command"):
        from jupyter_mlinfn.jobs.runner.script import run_script

        return run_script(folder, spec, stopping)
    from jupyter_mlinfn.jobs.runner.notebook import run_notebook

    return run_notebook(folder, spec, stopping)


if __name__ == "__main__":
    code = main(sys.argv)
    sys.stdout.flush()
    os._exit(code)  # threads that drain pipes held open by daemons must not keep us here
