"""Waiting for a job's end."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jupyter_mlinfn.cli.waiting import wait


class InterruptedWhileFreed:
    """Ctrl-C arrives while a destructor runs, where Python prints exceptions and drops them."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_heard_where_python_would_drop_it() -> None:
    looks = iter(range(5))

    def look() -> None:
        next(looks)
        InterruptedWhileFreed()

    job = SimpleNamespace(id="j", state="running")
    bench = SimpleNamespace(
        reconciler=SimpleNamespace(run_once=look), store=SimpleNamespace(get=lambda _: job)
    )
    with pytest.raises(KeyboardInterrupt):
        wait(cast(Any, bench), cast(Any, job))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
