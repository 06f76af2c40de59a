"""How large an environment will be, told before anything is fetched as far as it can be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rattler import RepoDataRecord
from rattler.exceptions import ExtractError, IoError
from rattler.package import PathsJson

from jupyter_mlinfn.environments.engine.checking import is_cached
from jupyter_mlinfn.environments.engine.records import stem

_NOTED = 300
"""Bytes that ``conda-meta`` takes for one file, measured over 8,800 files."""


def estimate(records: Sequence[RepoDataRecord], cache: Path) -> tuple[int, int] | None:
    """Bytes and files of the packages once installed.

    ``None`` when one is neither in the cache nor on this file system: its size is not in the
    channel's index. Packages of pip, and programs made for entry points, are not counted.
    """
    size = files = 0
    for record in records:
        listed = _paths(record, cache)
        if listed is None:
            return None
        size += sum(entry.size_in_bytes or 0 for entry in listed.paths)
        size += _NOTED * len(listed.paths)
        files += len(listed.paths) + 1  # its conda-meta
    return size, files


def _paths(record: RepoDataRecord, cache: Path) -> PathsJson | None:
    try:
        if is_cached(record, cache):
            return PathsJson.from_package_directory(cache / stem(record.file_name))
        parts = urlsplit(record.url)
        if parts.scheme == "file":
            return PathsJson.from_package_archive(Path(unquote(parts.path)))
    except (ExtractError, IoError, OSError):
        return None  # damaged or gone: the installation will say so
    return None
