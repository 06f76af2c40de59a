"""Start programs of our own that outlive whoever started them."""

from __future__ import annotations

import os
import signal
import site
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

from jupyter_mlinfn.process.tree import become_subreaper

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
        # only root may make a process less nice than its starter
        nice = max(nice, os.getpriority(os.PRIO_PROCESS, 0))
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)
    collect()
    with _children_lock:
        _children.append(process)
    return process.pid


def start_unrelated(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    pass_fds: Sequence[int] = (),
) -> None:
    """Start ``argv`` so that a subreaper that calls this is not its ancestor.

    All descendants of a job's supervisor end with the job; a dispatcher that it starts must not.
    For single-threaded programs: code runs between fork and exec. While the child is given away
    (about 2 ms) a daemon of the job may be, too; its token still tells whose it is.
    """
    become_subreaper(wanted=False)
    try:
        between = os.fork()
        if between == 0:
            _give_away(argv, env, cwd, log, pass_fds)
        os.waitpid(between, 0)
    finally:
        become_subreaper()


def _give_away(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, pass_fds: Sequence[int]
) -> NoReturn:
    """In the child: leave the session, leave the parent, become ``argv``. Never returns."""
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir(cwd)
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for descriptor, stream in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, stream)
        for descriptor in pass_fds:
            os.set_inheritable(descriptor, True)
        os.execve(argv[0], list(argv), dict(env))  # noqa: S606 - no shell is wanted
    finally:
        os._exit(127)


def collect() -> None:
    """Collect those started here that have ended, so that they do not stay as zombies."""
    with _children_lock:
        _children[:] = [child for child in _children if child.poll() is None]
