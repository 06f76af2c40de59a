"""Start a program that the caller keeps, watches and ends (a runner, a kernel, a script)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from jupyter_mlinfn.process.cgroup import ControlGroup

Child: TypeAlias = subprocess.Popen[bytes]
"""A started program: ``pid``, ``poll()``, ``wait()``, ``send_signal()``, ``kill()``."""


def start_child(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: int,
    pass_fds: Sequence[int] = (),
    group: ControlGroup | None = None,
) -> Child:
    """Start ``argv`` in its own session with ``output`` (a descriptor) for both streams.

    It joins ``group`` before its first instruction, and starts with all signals unblocked.
    Call it from single-threaded programs when ``group`` is given: code runs between fork and
    exec. Raises OSError when the program cannot be started.
    """

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if group is not None:
            group.join()

    return subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=dict(env),
        cwd=cwd,
        pass_fds=tuple(pass_fds),
        start_new_session=True,
        preexec_fn=prepare if group is not None else None,
    )


class on_cpus:  # noqa: N801 - reads as a statement
    """``with on_cpus(numbers):`` children started inside are bound to these CPUs, the caller not.

    The binding is inherited, so that no instruction of the child runs elsewhere and its thread
    pools count what they may use. No numbers, or numbers this machine refuses: no binding.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._wanted = set(numbers)
        self._before: set[int] = set()

    def __enter__(self) -> None:
        self._before = os.sched_getaffinity(0)
        if self._wanted & self._before:
            os.sched_setaffinity(0, self._wanted & self._before)

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._before)
