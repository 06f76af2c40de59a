"""How long it takes to say what is installed, beside asking the interpreter for the same."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, median
from jupyter_mlinfn.environments.inventory import digest, inventory

PACKAGES = 400
ROUNDS = 15
METADATA = (
    "Metadata-Version: 2.1\nName: {name}\nVersion: 1.{number}.0\nSummary: text\n\n" + "x" * 8000
)
ASK = (
    "import importlib.metadata as m; print(sorted((d.name, d.version) for d in m.distributions()))"
)


def _milliseconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median, the first call left out."""
    taken = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begin) * 1000)
    return median(taken[1:])


def _filled_venv(folder: Path) -> tuple[Path, Path]:
    """A venv with ``PACKAGES`` recorded packages: its prefix and its interpreter."""
    prefix = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    (site,) = prefix.glob("lib/python*/site-packages")
    for number in range(PACKAGES):
        info = site / f"package_{number}-1.{number}.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.format(name=f"package-{number}", number=number))
        (info / "INSTALLER").write_text("pip\n")
    return prefix, prefix / "bin" / "python"


def _conda_prefix(folder: Path) -> Path:
    """A conda prefix with ``PACKAGES`` records of 200 kB, as those of large packages are."""
    meta = folder / "conda" / "conda-meta"
    meta.mkdir(parents=True)
    record = json.dumps({"files": ["x" * 100] * 2000})
    for number in range(PACKAGES):
        (meta / f"package-{number}-1.{number}.0-py311_0.json").write_text(record)
    return meta.parent


def run() -> list[Figure]:
    """Inventory and digest of 400 packages in ms, warm; the peer is the interpreter itself."""
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with tempfile.TemporaryDirectory() as name:
        venv, python = _filled_venv(Path(name))
        conda = _conda_prefix(Path(name))
        ask = [str(python), "-I", "-c", ASK]
        asked = _milliseconds(lambda: subprocess.run(ask, check=True, capture_output=True), 5)
        return [
            Figure(
                f"inventory of a venv, {PACKAGES} packages",
                _milliseconds(lambda: digest(inventory(venv, minor))),
                "ms",
                asked=50,
                peer="its own interpreter",
                peer_value=asked,
            ),
            Figure(
                f"inventory of a conda prefix, {PACKAGES} packages",
                _milliseconds(lambda: digest(inventory(conda, minor))),
                "ms",
                asked=50,
            ),
        ]
