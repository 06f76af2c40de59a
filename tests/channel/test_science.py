"""The large environment that clones, locks and images are measured with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.channel.recipes import RECIPES

ROOT = Path(__file__).parents[2]

WORK = """
import numpy, scipy.stats, pandas, sklearn.ensemble, matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plot, astropy.table, iminuit, uproot, h5py
frame = pandas.DataFrame({"x": numpy.arange(5)})
plot.plot(frame.x)
plot.savefig("figure.png")
print(frame.x.sum())
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_is_large_and_it_works(science_channel: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    argv = [sys.executable, "-m", "tests.channel.installing", str(prefix)]
    ended = subprocess.run(
        [*argv, *RECIPES["science"].specs, "--channel", str(science_channel),
         "--cache", str(tmp_path / "cache")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert len(list((prefix / "conda-meta").glob("*.json"))) >= 60
    assert sum(path.is_file() for path in prefix.rglob("*")) >= 18_000
    worked = subprocess.run(
        [str(prefix / "bin" / "python"), "-c", WORK],
        cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert worked.stdout.strip() == "10", worked.stderr
    assert (tmp_path / "figure.png").stat().st_size > 1_000
