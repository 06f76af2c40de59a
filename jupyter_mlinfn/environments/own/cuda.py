"""Do packages built for CUDA run with this machine's driver?

What packages need: conda says it by its virtual package ``__cuda`` in a dependency, by
``cuda-version`` and ``cudatoolkit`` (conda-forge's documentation, "CUDA builds"), or in the build
string (``cuda126…``); wheels by ``+cu126`` or by ``nvidia-cuda-runtime-cu12``. A driver runs
programs of every older CUDA, and of newer ones of the same major version within limits (NVIDIA's
"CUDA Compatibility": minor version compatibility).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from threading import Lock

from jupyter_mlinfn.model.environments import CudaDriver, CudaFit, Package
from jupyter_mlinfn.model.errors import Unavailable

Version = tuple[int, int]

_VERSION_STAYS = 60.0
_RUNTIMES = {"cuda-version", "cudatoolkit", "cuda-cudart", "cuda-runtime"}
_WHEEL_RUNTIME = re.compile(r"nvidia-cuda-runtime(?:-cu[0-9]+)?", re.ASCII)
_BUILD = re.compile(r"(?:^|_|py[0-9.]*_?)cuda_?([0-9]+(?:\.[0-9]+)?)", re.ASCII)
_LOCAL = re.compile(r"\+cu([0-9]{2,3})", re.ASCII)
_NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?", re.ASCII)
_AT_LEAST = re.compile(r">=?\s*([0-9]+(?:\.[0-9]+)?)", re.ASCII)


class Verdicts:
    """Whether environments run with the driver of this machine.

    The driver is asked when the first environment needs CUDA, then not again for a minute: its
    version changes with a restart at most. Thread-safe.
    """

    def __init__(self, driver: CudaDriver | None) -> None:
        self._driver = driver
        self._lock = Lock()
        self._asked = float("-inf")
        self._answer: tuple[str | None, bool] = (None, False)

    def of(self, need: Version | None) -> CudaFit | None:
        """The verdict; ``None`` where CUDA is not needed. May block while the driver is asked."""
        if need is None:
            return None
        with self._lock:
            if time.monotonic() - self._asked > _VERSION_STAYS:
                self._answer = self._ask()
                self._asked = time.monotonic()
            version, silent = self._answer
        return judge(need, version, silent=silent)

    def _ask(self) -> tuple[str | None, bool]:
        try:
            return (self._driver.cuda() if self._driver else None), False
        except Unavailable:
            return None, True


def cuda_need(packages: Iterable[Package]) -> Version | None:
    """The CUDA version that the packages are built for; ``None`` where none needs CUDA."""
    return max((need for package in packages if (need := _built_for(package))), default=None)


def stated_need(dependencies: Iterable[Mapping[str, str]]) -> Version | None:
    """The version of ``__cuda`` that packages ask for in their dependencies."""
    found = []
    for one in dependencies:
        if "__cuda" in one:
            least = _AT_LEAST.search(one["__cuda"])
            found.append(_version(least[1]) if least else (0, 0))
    return max(found, default=None)


def judge(need: Version | None, driver: str | None, *, silent: bool = False) -> CudaFit | None:
    """Whether the packages run here; ``driver`` is the newest CUDA version it supports."""
    if need is None:
        return None
    asked = _text(need)
    if silent:
        state, text = "unknown", "The NVIDIA driver does not answer, so it cannot be told."
    elif driver is None:
        state, text = (
            "unknown",
            f"It is built for CUDA {asked}. This machine has no NVIDIA driver; "
            "on a machine with one it may run.",
        )
    else:
        state, text = _compare(need, _version(driver), driver)
    return CudaFit.model_validate({"state": state, "text": text, "need": asked})


def _compare(need: Version, has: Version, driver: str) -> tuple[str, str]:
    asked = _text(need)
    if has >= need:
        return "compatible", f"Built for CUDA {asked}; the driver here supports {driver}."
    if has[0] == need[0]:
        return (
            "unknown",
            f"Built for CUDA {asked}; the driver here supports {driver}. Most programs run, those "
            "that compile for the GPU while they run may fail.",
        )
    return (
        "not-compatible",
        f"Built for CUDA {asked}, but the driver here supports only {driver}: it finds no GPU.",
    )


def _built_for(package: Package) -> Version | None:
    name = package.name.lower()
    if name in _RUNTIMES or _WHEEL_RUNTIME.fullmatch(name):
        return _version(package.version)
    if found := _LOCAL.search(package.version):
        return _compact(found[1])
    if package.build and (found := _BUILD.search(package.build)):
        return _version(found[1]) if "." in found[1] else _compact(found[1])
    return None


def _compact(digits: str) -> Version:
    """``126`` is 12.6, ``12`` and ``9`` are major versions."""
    return (int(digits[:2]), int(digits[2:])) if len(digits) > 2 else (int(digits), 0)


def _version(text: str) -> Version:
    found = _NUMBER.match(text)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
