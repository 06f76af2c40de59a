"""Every test of the engine ends with a look for processes it left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_mlinfn.process import tree


def started_here(folder: Path) -> dict[int, bytes]:
    """Living processes whose command line or environment names ``folder``."""
    found = {}
    for pid in tree.living().keys() - {os.getpid()}:
        with suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            if str(folder).encode() in Path(f"/proc/{pid}/environ").read_bytes() + line:
                found[pid] = line.replace(b"\0", b" ")
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path: Path) -> Iterator[None]:
    """Whatever a test has started ends by itself soon after it: dispatchers linger a little."""
    yield
    until = time.monotonic() + 15
    while (left := started_here(tmp_path)) and time.monotonic() < until:
        time.sleep(0.1)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left
