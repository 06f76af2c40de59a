"""Waiting for a job's end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jupyter_mlinfn.cli.waiting import wait

pytestmark = pytest.mark.slow


class InterruptedWhileFreed:
    """Ctrl-C arrives while a destructor runs, where Python prints exceptions and drops them."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN])
def before(request: pytest.FixtureRequest) -> Iterator[Any]:
    """What Ctrl-C did when the program was started."""
    present = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, present)


def test_ctrl_c_is_heard_where_python_would_drop_it(before: Any) -> None:
    looks = iter(["running", "running", "succeeded"])
    job = SimpleNamespace(id="j", state="running")

    def look() -> None:
        job.state = next(looks)
        InterruptedWhileFreed()

    bench = SimpleNamespace(
        reconciler=SimpleNamespace(run_once=look), store=SimpleNamespace(get=lambda _: job)
    )
    if before is signal.SIG_IGN:
        assert wait(cast(Any, bench), cast(Any, job)).state == "succeeded"
    else:
        with pytest.raises(KeyboardInterrupt):
            wait(cast(Any, bench), cast(Any, job))
    assert signal.getsignal(signal.SIGINT) is before
