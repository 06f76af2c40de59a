"""Fixtures: conda channels made once and kept in ``.build/channels``.

``small_channel`` and ``science_channel`` are folders (``.as_uri()`` is what a solver takes),
``served`` gives the URL of any of them over HTTP. A channel that cannot be made for want of
wheels skips the test and says so in the table of real parts. What they hold: ``recipes`` and
``handmade``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import parts
from tests.channel.build import CACHE, is_current
from tests.channel.serving import serving

ROOT = Path(__file__).parents[2]


def channel_of(size: str) -> Path:
    """The channel ``size`` of this checkout, built if need be; skips where it cannot be."""
    out = CACHE / size
    if not is_current(out, size):
        # A program of its own: the indexer's threads have no place in the tests' process.
        argv = [sys.executable, "-m", "tests.channel", str(out), "--size", size]
        ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        if ended.returncode == 3:
            parts.missed(f"conda channel ({size})", ended.stderr.strip())
            pytest.skip(ended.stderr.strip())
        assert ended.returncode == 0, ended.stderr
    number = sum(1 for _ in out.glob("*/*.conda"))
    parts.took_part(f"conda channel ({size})", f"{number} packages made from wheels")
    return out


@pytest.fixture(scope="session")
def small_channel() -> Path:
    """python, ipykernel, pip and tiny packages, also for what goes wrong. Do not change it."""
    return channel_of("small")


@pytest.fixture(scope="session")
def science_channel() -> Path:
    """A physicist's environment: ≥ 60 packages, ≥ 18,000 files. Do not change it."""
    return channel_of("science")


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Serve a folder over HTTP until the test ends: ``served(small_channel)`` is its URL."""
    with ExitStack() as stack:
        yield lambda channel: stack.enter_context(serving(channel))
