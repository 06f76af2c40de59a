"""How one file can lie in two folders without being written twice."""

from __future__ import annotations

import os
import tempfile
from fcntl import ioctl
from pathlib import Path
from typing import Literal

_FICLONE = 0x40049409
"""``ioctl_ficlone(2)``: share the blocks of a file until one of the two is written."""

Way = Literal["hard links", "shared blocks", "copies"]


def shares_blocks(source: Path, target: Path) -> bool:
    """Whether the new file ``target`` can have the blocks of ``source`` (reflink)."""
    try:
        with source.open("rb") as original, target.open("wb") as file:
            ioctl(file.fileno(), _FICLONE, original.fileno())
    except OSError:
        return False
    return True


def way_between(source: Path, target: Path) -> Way:
    """How files of the folder ``source`` get into the folder ``target``: tried with one byte.

    In the installer's order: shared blocks, hard links, copies. Raises OSError where nothing can
    be written.
    """
    with (
        tempfile.TemporaryDirectory(dir=source, prefix=".linking-") as there,
        tempfile.TemporaryDirectory(dir=target, prefix=".linking-") as here,
    ):
        original = Path(there) / "one"
        original.write_bytes(b"x")
        if shares_blocks(original, Path(here) / "shared"):
            return "shared blocks"
        try:
            os.link(original, Path(here) / "linked")
        except OSError:
            return "copies"
        return "hard links"
