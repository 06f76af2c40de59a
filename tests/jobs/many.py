"""Very many jobs, as rows of an index: ``python -m tests.jobs.many DATA_DIR NUMBER``.

Everything about a job follows from its number. As a program it makes only jobs that have ended,
so that nothing follows them or starts them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.rows import columns_of
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.tables import jobs
from jupyter_mlinfn.model.jobs import ENDED, JobState
from jupyter_mlinfn.model.states import STATES
from jupyter_mlinfn.model.sweeps import SweepCounts
from tests.jobs.workplace import REQUEST, make_spec

NOW = datetime.now(UTC).replace(microsecond=0)


def row(number: int, many: int, states: Sequence[JobState] = STATES) -> dict[str, Any]:
    """Job ``number`` of ``many``: one in ten is in one of ``states``, the others succeeded."""
    submitted = NOW - timedelta(minutes=many - number)
    spec = make_spec(
        name=f"fit-{number % 100}.ipynb",
        backend=("local", "slurm", "htcondor")[number % 3],
        source=f"/home/ada/fit-{number % 100}.ipynb",
        parameters={"seed": number},
        submitted_at=submitted,
    )
    state = "succeeded" if number % 10 else states[number // 10 % len(states)]
    name = "science" if number % 4 == 0 else "python3"
    sweep = SweepCounts(points=3, succeeded=2, failed=1).model_dump() if number % 7 == 0 else None
    more = {"state": state, "environment_name": name, "revision": number, "sweep": sweep}
    ended = {}
    if state in ENDED:
        started = submitted + timedelta(seconds=20)
        ended = {"started_at": started, "ended_at": started + timedelta(seconds=number % 500)}
    return {**columns_of(spec, REQUEST), **more, **ended}


def fill(store: JobStore, many: int, states: Sequence[JobState] = STATES) -> None:
    """Write ``many`` jobs into an empty index."""
    rows = [row(number, many, states) for number in range(1, many + 1)]
    with store.index.write() as connection:
        for given in rows:
            given.setdefault("started_at", None)
            given.setdefault("ended_at", None)
        connection.execute(jobs.insert(), rows)


if __name__ == "__main__":
    made = JobFolders(Path(sys.argv[1]))
    made.create()
    index = JobStore(made.data_dir / "jobs.sqlite", made)
    fill(index, int(sys.argv[2]), ("failed", "succeeded", "cancelled"))
    index.close()
