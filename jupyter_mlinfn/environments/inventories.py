"""Inventories of many prefixes, kept while nothing in them comes or goes."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from jupyter_mlinfn.environments.inventory import inventory
from jupyter_mlinfn.environments.prefixes import site_folders
from jupyter_mlinfn.model.environments import Package


class Inventories:
    """Reads a prefix again only when one of its folders of packages has changed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[str, str], tuple[tuple[object, ...], tuple[Package, ...]]] = {}

    def of(self, prefix: Path, python: str) -> tuple[Package, ...]:
        """What :func:`inventory` tells of ``prefix``; ``python`` is ``"3.11"``."""
        folders = [*site_folders(prefix, python), prefix / "conda-meta"]
        times: tuple[object, ...] = tuple((str(folder), mtime(folder)) for folder in folders)
        key = (str(prefix), python)
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == times:
            return known[1]
        packages = inventory(prefix, python)
        with self._lock:
            self._known[key] = (times, packages)
        return packages


def mtime(path: Path) -> int:
    """When a folder was last changed, in ns; 0 where it is not there, a state like another."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
