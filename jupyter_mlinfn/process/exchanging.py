"""Two files or folders that change names at once: whoever looks finds the one or the other."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from pathlib import Path

_AT_FDCWD = -100
_NOREPLACE = 1
_EXCHANGE = 2
"""``RENAME_NOREPLACE`` and ``RENAME_EXCHANGE`` of ``renameat2(2)``."""


def exchange(draft: Path, target: Path) -> None:
    """Let ``draft`` and ``target``, in one file system, change names. Raises OSError.

    Where the file system cannot (NFS), one after the other: killed in between, ``target`` lies
    beside its place, see :func:`aside_of`.
    """
    number = _rename(draft, target, _EXCHANGE)
    if number == 0:
        return
    if number not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(number, os.strerror(number), str(target))
    aside = aside_of(target)
    shutil.rmtree(aside, ignore_errors=True)
    target.rename(aside)
    draft.rename(target)
    aside.rename(draft)


def aside_of(target: Path) -> Path:
    """Where ``target`` lies for the moment in which it has no name of its own."""
    return target.with_name(f"{target.name}-aside")


def rename_if_free(draft: Path, target: Path) -> bool:
    """Rename, unless something bears the name ``target`` already. Raises OSError.

    Where the file system cannot tell both at once (NFS), a look comes before the renaming.
    """
    number = _rename(draft, target, _NOREPLACE)
    if number in (errno.EINVAL, errno.ENOSYS):
        if os.path.lexists(target):
            return False
        draft.rename(target)
        return True
    if number not in (0, errno.EEXIST):
        raise OSError(number, os.strerror(number), str(target))
    return number == 0


def _rename(draft: Path, target: Path, flag: int) -> int:
    """``renameat2``; 0, or the number of its error."""
    libc = ctypes.CDLL(None, use_errno=True)
    pair = (os.fsencode(draft), os.fsencode(target))
    if libc.renameat2(_AT_FDCWD, pair[0], _AT_FDCWD, pair[1], flag) == 0:
        return 0
    return ctypes.get_errno()
