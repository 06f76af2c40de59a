"""Start programs of our own that outlive whoever started them."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

_children: list[subprocess.Popen[bytes]] = []
_children_lock = threading.Lock()


@cache
def isolation() -> tuple[str, ...]:
    """Interpreter options that keep ``PYTHON*`` and the current folder away from our programs.

    ``-I`` also hides the user's site folder; an installation by ``pip install --user`` lies there.
    """
    here = os.path.realpath(__file__)
    user = os.path.realpath(site.getusersitepackages())
    return ("-E", "-P") if os.path.commonpath([here, user]) == user else ("-I",)


def own_program(module: str, *arguments: str) -> tuple[str, ...]:
    """The argv of one of this package's programs, in this interpreter."""
    return (sys.executable, *isolation(), "-m", module, *arguments)


def start_detached(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path | None = None,
    pass_fds: Sequence[int] = (),
    nice: int = 0,
) -> int:
    """Start ``argv`` in its own session, without our streams; returns its PID.

    Output goes to the end of ``log``, else nowhere. The program is not waited for (see
    :func:`collect`). Raises OSError when it cannot be started.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    output = os.open(log, flags, 0o600) if log else os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=tuple(pass_fds),
        )
    finally:
        os.close(output)
    if nice:
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)
    collect()
    with _children_lock:
        _children.append(process)
    return process.pid


def collect() -> None:
    """Collect those started here that have ended, so that they do not stay as zombies."""
    with _children_lock:
        _children[:] = [child for child in _children if child.poll() is None]
