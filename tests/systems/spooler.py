"""The worked example of ``docs/own-backend.md`` with the real task-spooler of Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.parts import missed, took_part
from tests.systems import debian
from tests.systems.daemons import Missing

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "mlinfn_spooler.py"


def prepare() -> None:
    """Have ``tsp``. Raises :class:`Missing` with the reason."""
    try:
        if shutil.which("tsp") is None:
            debian.install("task-spooler")
    except Missing as error:
        missed("task-spooler", str(error))
        raise
    told = subprocess.run(("tsp", "-V"), capture_output=True, text=True, check=True).stdout
    took_part("task-spooler", told.split(" - ")[0])


def install(folder: Path) -> Path:
    """The example as a package of a site, announced by entry point; its folder for ``sys.path``."""
    announced = folder / "mlinfn_spooler-1.0.dist-info"
    announced.mkdir(parents=True)
    shutil.copy(EXAMPLE, folder)
    (announced / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: mlinfn-spooler\nVersion: 1.0\n"
    )
    (announced / "entry_points.txt").write_text(
        "[jupyter_mlinfn.backends]\nspooler = mlinfn_spooler:SpoolerBackend\n"
    )
    return folder


def going(job: str) -> int:
    """How many jobs of this id it knows that have not ended."""
    lines = subprocess.run(("tsp",), capture_output=True, text=True, check=True).stdout.splitlines()
    return sum(f"[mlinfn-{job}:" in line and " finished " not in line for line in lines)


def stop() -> None:
    """End the queue that ``TS_SOCKET`` names, and what runs in it."""
    if Path(os.environ["TS_SOCKET"]).exists():
        subprocess.run(("tsp", "-K"), check=False)
