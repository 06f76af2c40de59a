"""The environments' own process: measures prefixes one after the other, then ends by itself.

``python -I -m jupyter_mlinfn.environments.worker FOLDER``. One worker a folder (a lock ends the
second at once). Killing it loses nothing but the prefix in hand, which the next one measures; a
prefix that has ended several workers is left alone. It ends when nothing is wanted any more,
which is also how it is cancelled.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.environments.measurements import (
    Cancelled,
    Measurement,
    Measurements,
    Wanted,
    measure,
)
from jupyter_mlinfn.process.detach import own_program, start_detached
from jupyter_mlinfn.process.locks import acquire, held

_LONGEST = 900
"""Seconds for one prefix; the alarm then ends a worker that a dead file system holds up."""


def ensure_worker(measurements: Measurements) -> None:
    """Start the worker unless it runs. Raises OSError when it cannot be started."""
    if held(measurements.lock):
        return
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    argv = own_program("jupyter_mlinfn.environments.worker", str(measurements.folder))
    start_detached(argv, env=environ, cwd=measurements.folder, nice=15)


def work(measurements: Measurements) -> None:
    """Measure until every question is answered; returns at once when another worker does."""
    lock = acquire(measurements.lock)
    if lock is None:
        return
    try:
        while todo := measurements.open_questions(measurements.wanted()):
            answer(measurements, todo[0])
    finally:
        os.close(lock)


def answer(measurements: Measurements, wanted: Wanted) -> None:
    """Measure one prefix; the try is noted first, for the case that it ends this process."""
    before = measurements.read(wanted.prefix)
    tries = before.tries if before and before.stamp == wanted.stamp else 0
    asked = Measurement(prefix=wanted.prefix, stamp=wanted.stamp, tries=tries + 1)
    measurements.write(asked)
    signal.alarm(_LONGEST)
    try:
        size, files = measure(Path(wanted.prefix), lambda: wanted in measurements.wanted())
    except Cancelled:
        measurements.write(asked.model_copy(update={"tries": tries}))
        return
    except OSError:
        return  # the prefix is gone; its try counts, so that this comes to an end
    finally:
        signal.alarm(0)
    found = {"size": size, "files": files, "measured_at": datetime.now(UTC), "tries": 0}
    measurements.write(asked.model_copy(update=found))


def main(arguments: Sequence[str]) -> int:
    """The program."""
    (folder,) = arguments
    work(Measurements(Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
