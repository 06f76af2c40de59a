"""Reading small files of environments that anybody may have made."""

from __future__ import annotations

import os
from pathlib import Path

SMALL = 2**20


def read_head(path: Path, most: int = SMALL) -> bytes:
    """At most ``most`` bytes; a pipe or a device in the place of a file never makes us wait.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        parts: list[bytes] = []
        while most > 0 and (part := os.read(descriptor, most)):
            parts.append(part)
            most -= len(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def read_text_head(path: Path, most: int = SMALL) -> str:
    """The same as text; bytes that are no UTF-8 are replaced. Raises OSError."""
    return read_head(path, most).decode("utf-8", "replace")
