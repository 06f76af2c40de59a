"""What the conformance suite needs of each place where jobs run: a desk there, and its own words.

A further back-end adds a :class:`Place` here and a fixture ``<name>_place`` to ``conftest.py``, and
names itself in :data:`PLACES`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyter_mlinfn.model.jobs import JobRecord
from tests.jobs.backends.desk import Desk

PLACES = (
    "local",
    "slurm",
    "htcondor",
    "kubernetes",
    "spooler",
    # a second way to what was tested already: the whole suite there when it is asked for
    *(("kubernetes_vkd",) if os.environ.get("MLINFN_TEST_VKD") else ()),
)


@dataclass(frozen=True)
class Place:
    """One back-end at work. ``wait`` submits a job that has to wait for as long as the test lasts;
    ``known`` tells how many jobs the system knows of this id that have not ended; ``gpus`` is what
    a job with one accelerator may find in ``CUDA_VISIBLE_DEVICES``, empty where there is none;
    ``waits_for`` is the code of the reason why one waits.
    """

    desk: Desk
    wait: Callable[[Desk], JobRecord]
    known: Callable[[str], int]
    gpus: tuple[str, ...] = ()
    waits_for: str = "waits-in-queue"


def behind_another(**asked: Any) -> Callable[[Desk], JobRecord]:
    """A job behind one that takes all there is."""

    def wait(desk: Desk) -> JobRecord:
        first = desk.submit("import time; time.sleep(300)", file="first.py", **asked)
        desk.until(first.id, "running")
        return desk.submit("print(1)", file="second.py", **asked)

    return wait
