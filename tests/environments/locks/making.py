"""Packages and locks for tests."""

from __future__ import annotations

from typing import Any

import yaml

from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage

CHANNEL = "https://conda.example/stable"
SHA = "a" * 64
MD5 = "b" * 32


class _NoAliases(yaml.SafeDumper):
    """Writes out what is there twice; aliases are refused by our reader."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def yaml_text(document: Any) -> str:
    """``document`` as YAML without aliases, in its own order."""
    return str(yaml.dump(document, Dumper=_NoAliases, sort_keys=False, allow_unicode=True))


def conda(name: str, version: str = "1.0", build: str = "py_0", **fields: Any) -> LockedPackage:
    """A conda package for linux-64 unless said otherwise; ``subdir`` is the folder it lies in."""
    platform = fields.pop("platform", "linux-64")
    subdir = fields.pop("subdir", platform)
    url = f"{CHANNEL}/{subdir}/{name}-{version}-{build}.conda"
    return LockedPackage(
        name=name, version=version, build=build, manager="conda", platform=platform,
        **{"url": url, "sha256": SHA, "md5": MD5, **fields},
    )  # fmt: skip


def pip(name: str, version: str = "1.0", **fields: Any) -> LockedPackage:
    """A pip package for linux-64 unless said otherwise."""
    url = f"https://pip.example/{name}-{version}-py3-none-any.whl"
    return LockedPackage(
        name=name, version=version, manager="pip",
        **{"platform": "linux-64", "url": url, "sha256": SHA, **fields},
    )  # fmt: skip


def lock(*packages: LockedPackage, platforms: tuple[str, ...] = ()) -> Lock:
    """A lock of ``packages`` from :data:`CHANNEL`."""
    there = platforms or tuple({package.platform for package in packages}) or ("linux-64",)
    return Lock.made_of([CHANNEL], there, packages)
