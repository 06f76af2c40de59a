"""Inventories of many prefixes, kept while nothing in them comes or goes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from jupyter_mlinfn.environments.inventory import inventory
from jupyter_mlinfn.environments.prefixes import site_folders
from jupyter_mlinfn.model.environments import Package

_Times = tuple[tuple[str, int], ...]

_YOUNG: Final = 2 * 10**9
"""Nanoseconds: a folder changed so lately may change once more without its time telling."""


class Inventories:
    """Reads a prefix again only when one of its folders of packages has changed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[str, str], tuple[_Times, tuple[Package, ...]]] = {}

    def of(self, prefix: Path, python: str, extra: Sequence[Path] = ()) -> tuple[Package, ...]:
        """What :func:`inventory` tells of ``prefix``; ``python`` is ``"3.11"``."""
        folders = [*extra, *site_folders(prefix, python), prefix / "conda-meta"]
        times = tuple((str(folder), mtime(folder)) for folder in folders)
        key = (str(prefix), python)
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == times:
            return known[1]
        packages = inventory(prefix, python, extra)
        if time.time_ns() - max(at for _, at in times) > _YOUNG:
            with self._lock:
                self._known[key] = (times, packages)
        return packages


def mtime(path: Path) -> int:
    """When a folder was last changed, in ns; 0 where it is not there, a state like another."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
