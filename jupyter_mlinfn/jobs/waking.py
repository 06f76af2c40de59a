"""Waking the dispatcher at once instead of letting it find out at its next look.

A named pipe beside its lock: one byte per event, nothing is said in it, and nothing is lost when
a byte is, because the dispatcher looks by itself as well.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_NAME = "dispatcher.wake"


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
