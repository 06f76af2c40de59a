"""Files that survive a crash whole: written beside, synced, renamed."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable (a rename alone is not)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Replace ``path`` by ``content`` so that a reader sees the old or the new, never a part.

    Durable when this returns. Raises :class:`OSError`; then the old file is untouched.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def touch_durably(path: Path) -> None:
    """Create the empty marker ``path``; harmless when it exists. Durable when this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)
