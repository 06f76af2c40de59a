"""How far rattler's installer is, as events of the task."""

from __future__ import annotations

import threading

from rattler.install import InstallerReporter

from jupyter_mlinfn.environments.engine.reporting import Reporter


class InstallProgress(InstallerReporter):
    """Hears from rattler's threads what is fetched and linked, and says it in numbers.

    ``total`` is the number of packages. Bytes are those of the packages being fetched now.
    """

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter = reporter
        self._total = total
        self._linked = 0
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._received: dict[int, int] = {}
        self._expected: dict[int, int] = {}

    def on_populate_cache_start(self, operation: int, package_name: str) -> int:
        """A package is looked for in the cache and fetched if it is not there."""
        with self._lock:
            self._names[operation] = package_name
        return operation

    def on_download_start(self, cache_entry: int) -> int:
        """The package of the operation ``cache_entry`` is fetched."""
        return cache_entry

    def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:
        """``progress`` of ``total`` bytes have come."""
        with self._lock:
            self._received[download_idx] = progress
            self._expected[download_idx] = max(total or 0, progress)
            received, expected = sum(self._received.values()), sum(self._expected.values())
            name = self._names.get(download_idx, "")
        self._reporter.say("downloading", name, done=received, total=expected, unit="bytes")

    def on_link_start(self, operation: int, package_name: str) -> int:
        """The files of a package are put into the prefix."""
        with self._lock:
            self._names[operation] = package_name
            linked = self._linked
        self._reporter.say("linking", package_name, done=linked, total=self._total, unit="packages")
        return operation

    def on_link_complete(self, index: int) -> None:
        """All files of a package are in the prefix."""
        with self._lock:
            self._linked += 1
            linked, name = self._linked, self._names.get(index, "")
        self._reporter.say("linking", name, done=linked, total=self._total, unit="packages")
