"""Files that are whole or not there, whatever is killed and whenever."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_durably(path: Path, content: str | bytes) -> None:
    """Replace ``path`` (mode 0600); after return it survives a power cut. Raises OSError."""
    _replace(path, content, durable=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace ``path`` (mode 0600) at once for every reader, without waiting for the disk."""
    _replace(path, content, durable=False)


def touch_durably(path: Path) -> None:
    """Make the empty file ``path``, a marker that survives a power cut."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """Append one line in one write, so that lines of several processes never mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, (line.rstrip("\n") + "\n").encode("utf-8", "replace"))
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make names created or renamed in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, content: str | bytes, *, durable: bool) -> None:
    data = content.encode() if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)
