"""Locks that end with the process that holds them: how a living process is told from a dead one.

Open-file-description locks (``fcntl(2)``, Linux 3.15) rather than ``flock(2)``: they can be
tested without being taken, so a look never makes the owner's own attempt fail, and NFSv4 carries
them to the server. They belong to the open file, so children that inherit the descriptor hold
the lock too.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_FLOCK = struct.Struct("hhqqi4x")
"""``struct flock`` of 64-bit Linux: type, whence, start, length, pid (0 for these locks)."""

_WHOLE_FILE = (os.SEEK_SET, 0, 0, 0)


def acquire(path: Path, *, mode: int = 0o600) -> int | None:
    """The descriptor that holds the lock, or ``None`` when another process holds it.

    The file is made when missing. The descriptor is not inherited by programs unless passed on.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    if lock_descriptor(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def lock_descriptor(descriptor: int) -> bool:
    """Take the lock of a file open for writing; ``False`` when another process holds it."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, *_WHOLE_FILE))
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: held, fcntl(2)
        return False
    return True


def held(path: Path) -> bool:
    """Whether a living process holds the lock. A missing file is held by nobody."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, *_WHOLE_FILE)
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
    finally:
        os.close(descriptor)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
