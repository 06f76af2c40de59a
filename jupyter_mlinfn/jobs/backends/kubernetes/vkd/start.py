"""What runs in a pod that vkd made: ``python -I -m ….vkd.start SPECIFICATION_FILE``.

It tells :mod:`jupyter_mlinfn.jobs.batch` what vkd cannot put into an environment, and runs it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from jupyter_mlinfn.jobs.batch import __main__ as batch
from jupyter_mlinfn.jobs.batch.taking import home_of, over, point_of

MODULE: Final = "jupyter_mlinfn.jobs.backends.kubernetes.vkd.start"
SPECIFICATION: Final = "job.json"
_SAVES_WITHIN: Final = 25
"""Of the 30 seconds that a pod has at its end where nobody says otherwise."""


class Start(BaseModel):
    """The job's folder; ``points``: those of a sweep that this vkd job runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    points: str = ""


def main(argv: list[str]) -> int:
    """Run one attempt to its end; 0 when it succeeded or nothing was left to do, else 1.

    A point of a sweep that ended for good is done for vkd however it ended: how, says its folder,
    and too many pods that fail would end the others with it.
    """
    told = Start.model_validate_json(Path(argv[1]).read_bytes())
    os.environ["MLINFN_POD"] = os.environ.get("HOSTNAME", "")
    os.environ.setdefault("MLINFN_GRACE_SECONDS", str(_SAVES_WITHIN))
    more = [told.points] if told.points else []
    code = batch.main(["batch", told.folder, "kubernetes", *more])
    if told.points:
        point = point_of(told.points, "kubernetes", os.environ)
        return 0 if over(home_of(Path(told.folder).resolve(), point)) else 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv))
