"""How files came into a prefix: as hard links, as shared blocks, or as copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jupyter_mlinfn.environments.engine.unpacked import files
from jupyter_mlinfn.environments.own.linking import Way, shares_blocks

__all__ = ["Way", "unrun_scripts", "way_of"]

_LOOKED_AT = 2000
_SCRIPT = "-post-link.sh"


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
        return "shared blocks" if shares_blocks(source, copy) else "copies"
    except OSError:
        return "copies"
    finally:
        source.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)


def unrun_scripts(prefix: Path) -> Iterator[str]:
    """Packages that have a script for after their installation, which is never run."""
    folder = prefix / "bin"
    if folder.is_dir():
        for path in sorted(folder.glob(f".*{_SCRIPT}")):
            yield path.name.removeprefix(".").removesuffix(_SCRIPT)
