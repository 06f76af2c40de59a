"""Every test of the engine ends with a look for processes it left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.local import LocalBackend
from jupyter_mlinfn.jobs.dispatcher import Dispatcher
from jupyter_mlinfn.jobs.waking import listen
from jupyter_mlinfn.process import tree
from tests.jobs.engine.making import wait_for
from tests.jobs.engine.queueing import Bench


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


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench without accelerators; everything it started is over at the end."""
    made = Bench(tmp_path)
    yield made
    made.go()
    wait_for(lambda: not made.store.active("local") or made.look(made.store.active("local")[0].id))
    wait_for(lambda: not made.dispatcher_lives())
    made.store.close()


@pytest.fixture
def gpus(tmp_path: Path) -> Iterator[Bench]:
    """A bench with one accelerator, dispatched from inside the test."""
    made = Bench(tmp_path, "GPU-a")
    made.context = made.context.__class__(
        **{**made.context.__dict__, "dispatcher_command": (sys.executable, "-c", "pass")}
    )
    made.backend = LocalBackend(made.context)
    yield made
    made.store.close()


@pytest.fixture
def dispatching(gpus: Bench) -> Iterator[Dispatcher]:
    """Its dispatcher; a test calls ``look``."""
    pipe = listen(gpus.context.state_dir)
    made = Dispatcher(gpus.context, pipe)
    yield made
    gpus.go()
    wait_for(lambda: not made.look() or not made.context.store.active("local"))
    os.close(pipe)
