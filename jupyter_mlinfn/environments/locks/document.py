"""A lock: every package of an environment with its address and hash, per platform.

The file form is ``conda-lock.yml`` version 1 (CEP 37); reading and writing it is in
``locks/files.py``. This module knows neither files nor solvers, so that everybody may have it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict


class LockedPackage(BaseModel):
    """One entry of CEP 37's ``package`` list.

    ``build`` is conda's build string, from the file name; empty for pip packages. ``sha256`` and
    ``md5`` are hexadecimal digests of the file at ``url``, without a prefix.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    manager: Literal["conda", "pip"]
    platform: str
    url: str
    sha256: str | None
    md5: str | None = None
    build: str = ""
    dependencies: dict[str, str] = {}
    category: str = "main"

    @property
    def file_name(self) -> str:
        """The package file's name, such as ``numpy-2.3.5-py311_0.conda``."""
        return self.url.split("#")[0].split("?")[0].rsplit("/", 1)[-1]


class Lock(BaseModel):
    """All packages of all platforms, sorted by platform, manager and name."""

    model_config = ConfigDict(frozen=True)

    channels: tuple[str, ...]
    platforms: tuple[str, ...]
    packages: tuple[LockedPackage, ...]

    @classmethod
    def made_of(
        cls, channels: Iterable[str], platforms: Iterable[str], packages: Iterable[LockedPackage]
    ) -> Lock:
        """A lock of the packages in whatever order they come."""
        return cls(
            channels=tuple(dict.fromkeys(channels)),
            platforms=tuple(sorted(set(platforms))),
            packages=tuple(sorted(packages, key=lambda p: (p.platform, p.manager, p.name))),
        )

    def of(self, platform: str) -> tuple[LockedPackage, ...]:
        """The packages of one platform."""
        return tuple(package for package in self.packages if package.platform == platform)

    def digest(self, platform: str) -> str:
        """``sha256:…`` that names what an installation of this lock on ``platform`` contains.

        Made from file names and hashes, not from addresses: the same packages out of a mirror
        are the same environment.
        """
        lines = sorted(
            f"{package.manager} {package.file_name} {package.sha256 or package.md5 or '-'}"
            for package in self.of(platform)
        )
        return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()
