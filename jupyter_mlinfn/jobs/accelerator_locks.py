"""Accelerators are claimed for the whole machine by a lock named after their UUID.

The index knows one person's jobs; these locks are between persons, and between two data folders of
one person. They lie in a folder that everybody may write (sticky, as ``/tmp``), and live as long
as any process of the job that inherited them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jupyter_mlinfn.process import locks

DEFAULT_FOLDER = Path("/var/tmp/mlinfn-accelerators")  # noqa: S108 - shared on purpose
"""Not below ``/run``, which containers on one machine do not share; ``/var/tmp`` often is."""

_UUID = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]{0,120}", re.ASCII)


def hold(folder: Path, uuids: Sequence[str]) -> tuple[int, ...] | None:
    """Descriptors that hold the locks of all ``uuids``; ``None`` when one is not to be had.

    Whatever keeps us from opening a lock, perhaps put there by another person, holds it.
    """
    held: list[int] = []
    for uuid in sorted(uuids):
        try:
            held.append(_open(folder, uuid))
        except OSError:
            release(held)
            return None
        if not locks.lock_descriptor(held[-1]):
            release(held)
            return None
    return tuple(held)


def release(descriptors: Sequence[int]) -> None:
    """Close our side of the locks; a child that inherited them still holds them."""
    for descriptor in descriptors:
        os.close(descriptor)


def is_held(folder: Path, uuid: str) -> bool:
    """Whether a living job of anybody on this machine holds this accelerator.

    Also when its lock cannot be opened or made: somebody keeps it for themselves alone.
    """
    path = _path(folder, uuid)
    try:
        if path.exists() or path.is_symlink():
            return locks.held(path)
        return folder.exists() and not os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return True


def _path(folder: Path, uuid: str) -> Path:
    if not _UUID.fullmatch(uuid):
        raise ValueError(f"not an accelerator's UUID: {uuid[:40]!r}")
    return folder / uuid.replace("/", "_")


def _open(folder: Path, uuid: str) -> int:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(PermissionError):  # another person made it first
            folder.chmod(stat.S_ISVTX | 0o777)
    path = _path(folder, uuid)
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        # without O_CREAT: in a sticky folder it is refused on a file of another person
        return os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT, 0o666)
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o666)  # the umask took the others' right to lock it
        return descriptor
