"""Whether a dispatcher lives, and waking it instead of letting it find out at its next look.

It holds a lock from its start on, which whoever starts it takes and hands over: Python needs a
second to begin, and each submit and each end of a short job would start another one meanwhile.
Beside the lock lies a named pipe: one byte per event, nothing is said in it, and nothing is lost
when a byte is, because the dispatcher looks by itself as well.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, MutableMapping
from pathlib import Path

from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.redaction import own_environment

_NAME = "dispatcher.wake"
_LOCK = "dispatcher.lock"
LOG = "dispatcher.log"
_GIVEN = "MLINFN_LOCK_OF_DISPATCHER"


def lives(state_dir: Path) -> bool:
    """Whether a dispatcher of this data folder runs or starts on this machine."""
    return locks.held(state_dir / _LOCK)


def take_lock(state_dir: Path) -> int | None:
    """The descriptor of the dispatcher's lock; ``None`` while one lives. Raises OSError."""
    return locks.acquire(state_dir / _LOCK)


def start_one(state_dir: Path, start: Callable[..., object]) -> None:
    """Have ``start`` start a dispatcher that has its lock, unless one lives. Raises OSError.

    ``start`` is :func:`~jupyter_mlinfn.process.detach.start_detached` or ``start_unrelated`` with
    the command; it is given the environment, the folder, the log and the lock.
    """
    lock = take_lock(state_dir)
    if lock is None:
        return
    try:
        start(
            env={**own_environment(os.environ), _GIVEN: str(lock)},
            cwd=state_dir,
            log=state_dir / LOG,
            pass_fds=(lock,),
        )
    finally:
        os.close(lock)


def given_lock(environ: MutableMapping[str, str]) -> int | None:
    """The lock that whoever started this dispatcher took for it; no other program is told."""
    given = environ.pop(_GIVEN, "")
    if not given:
        return None
    lock = int(given)
    os.set_inheritable(lock, False)  # supervisors outlive their dispatcher
    return lock


def wake(state_dir: Path) -> bool:
    """Wake the living dispatcher; ``False`` when none listens."""
    try:
        pipe = os.open(state_dir / _NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.ENXIO:
            return False
        raise
    try:
        os.write(pipe, b".")
    except BlockingIOError:
        return True  # the pipe is full of wakes already
    except BrokenPipeError:
        return False
    finally:
        os.close(pipe)
    return True


def listen(state_dir: Path) -> int:
    """A descriptor that becomes readable when somebody calls :func:`wake`. Raises OSError."""
    path = state_dir / _NAME
    try:
        if not stat.S_ISFIFO(path.lstat().st_mode):
            path.unlink()
    except FileNotFoundError:
        pass
    if not path.exists():
        os.mkfifo(path, 0o600)
    # opened for writing as well: it never reports an end when the last writer closes
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def drain(pipe: int) -> None:
    """Forget all wakes that were heard."""
    try:
        while os.read(pipe, 4096):
            continue
    except BlockingIOError:
        return
