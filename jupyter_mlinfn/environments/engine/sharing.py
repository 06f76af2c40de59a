"""How files came into a prefix: as hard links, as shared blocks, or as copies."""

from __future__ import annotations

from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Literal

from jupyter_mlinfn.environments.engine.unpacked import files

_FICLONE = 0x40049409
"""``ioctl_ficlone(2)``: share the blocks of a file until one of the two is written."""
_LOOKED_AT = 2000
_SCRIPT = "-post-link.sh"

Way = Literal["hard links", "shared blocks", "copies"]


def way_of(prefix: Path, cache: Path) -> Way:
    """Look for a hard link; else try what rattler tries first, with two files of one byte."""
    for number, entry in enumerate(files(prefix)):
        if entry.stat(follow_symlinks=False).st_nlink > 1:
            return "hard links"
        if number == _LOOKED_AT:
            break
    source, copy = cache / ".reflink-source", prefix / ".reflink-copy"
    try:
        source.write_bytes(b"x")
        with source.open("rb") as original, copy.open("wb") as file:
            ioctl(file.fileno(), _FICLONE, original.fileno())
    except OSError:
        return "copies"
    else:
        return "shared blocks"
    finally:
        source.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)


def unrun_scripts(prefix: Path) -> Iterator[str]:
    """Packages that have a script for after their installation, which is never run."""
    folder = prefix / "bin"
    if folder.is_dir():
        for path in sorted(folder.glob(f".*{_SCRIPT}")):
            yield path.name.removeprefix(".").removesuffix(_SCRIPT)
