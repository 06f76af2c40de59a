"""Solving for any platform, with virtual packages that conda-lock describes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rattler import (
    Gateway,
    GenericVirtualPackage,
    MatchSpec,
    PackageName,
    RepoDataRecord,
    Version,
    solve,
)
from rattler.package import BuildString

_LONGEST = timedelta(seconds=120)
_VIRTUAL_CHANNEL = "conda-lock-fake-repodata-"
"""conda-lock describes a platform's virtual packages in a channel in a folder called like this."""


def find(
    channels: Sequence[str],
    specs: Sequence[str],
    platform: str,
    cache: Path | None,
    locked: Sequence[RepoDataRecord] = (),
) -> list[RepoDataRecord]:
    """The packages that fulfil ``specs`` on ``platform``, by name; ``locked`` stay if they can.

    Only the given channels are read, even where they declare relations to others. Raises
    rattler's errors.
    """
    virtual = [channel for channel in channels if _is_virtual(channel)]
    wishes = [MatchSpec(_with_address(spec, channels), strict=False) for spec in specs]

    async def ask() -> list[RepoDataRecord]:
        return await solve(
            [channel for channel in channels if channel not in virtual],
            wishes,
            gateway=Gateway(cache_dir=cache),
            platforms=[platform, "noarch"],  # type: ignore[list-item]  # any platform may be asked
            locked_packages=list(locked),
            virtual_packages=virtual_packages(virtual, platform),
            timeout=_LONGEST,
            channel_relations="disabled",
        )

    return sorted(asyncio.run(ask()), key=lambda record: record.name.normalized)


def virtual_packages(channels: Sequence[str], platform: str) -> list[GenericVirtualPackage]:
    """The virtual packages in conda-lock's channels; of several versions the newest."""
    found: dict[str, GenericVirtualPackage] = {}
    for channel in channels:
        folder = Path(unquote(urlsplit(channel).path))
        for subdir in (platform, "noarch"):
            for record in _records(folder / subdir / "repodata.json"):
                package = GenericVirtualPackage(
                    PackageName(record["name"]),
                    Version(record["version"]),
                    BuildString(record.get("build") or "0"),
                )
                known = found.get(record["name"])
                if known is None or known.version < package.version:
                    found[record["name"]] = package
    return list(found.values())


def describe(record: RepoDataRecord, platform: str) -> dict[str, Any]:
    """The record in the words of ``conda create --json``."""
    told: dict[str, Any] = json.loads(record.to_json())
    url = record.url
    stem = record.file_name.removesuffix(".conda").removesuffix(".tar.bz2")
    told.update(
        build_string=str(record.build),
        channel=record.channel.rstrip("/").rsplit("/", 1)[-1],
        base_url=url.rsplit("/", 2)[0],
        dist_name=stem,
        fn=record.file_name,
        platform=platform,
    )
    told.setdefault("depends", [])
    told.setdefault("constrains", [])
    return told


def _with_address(spec: str, channels: Sequence[str]) -> str:
    """``name::package`` with the channel's address: conda-lock shortens it to its last part."""
    name, colons, package = spec.partition("::")
    if not colons or "://" in name:
        return spec
    meant = [channel for channel in channels if channel.rstrip("/").endswith(f"/{name}")]
    return f"{meant[0]}::{package}" if meant else spec


def _is_virtual(channel: str) -> bool:
    return channel.startswith("file://") and channel.rstrip("/").rsplit("/", 1)[-1].startswith(
        _VIRTUAL_CHANNEL
    )


def _records(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    packages = json.loads(path.read_bytes())["packages"].values()
    return [record for record in packages if record.get("package_type") == "virtual_system"]
