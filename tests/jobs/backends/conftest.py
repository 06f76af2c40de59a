"""Real batch systems, one for each process of the test run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.backends.desk import Desk
from tests.systems import slurm


@pytest.fixture(scope="session")
def cluster() -> Iterator[slurm.Slurm]:
    """A running Slurm; nothing of it is left at the end."""
    try:
        made = slurm.start()
    except slurm.Missing as error:
        pytest.skip(f"no Slurm here: {error}")
    yield made
    made.stop()


@pytest.fixture
def desk(cluster: slurm.Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk that sends its jobs to that Slurm, in its own folders, with nothing else waiting."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    made = Desk(tmp_path, "slurm", "c.Mlinfn.slurm_poll_seconds = 0.5\n")
    yield made
    made.close()
    cluster.clear()
