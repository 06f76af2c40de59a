"""Prefixes: what ``conda-meta`` says is there, and putting an ``@EXPLICIT`` list there."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rattler import PackageRecord, RepoDataRecord, install
from rattler.package import BuildString

from jupyter_mlinfn.environments.locks.document import LockedPackage
from jupyter_mlinfn.environments.locks.files import read_explicit
from jupyter_mlinfn.model.errors import Refused, Unavailable

_LISTED = (
    "name", "version", "build_number", "dist_name", "base_url", "build_string", "channel",
    "platform",
)  # fmt: skip


def entries(prefix: Path) -> list[dict[str, Any]]:
    """What ``conda-meta`` of ``prefix`` holds, in full, sorted by name."""
    metas = [json.loads(path.read_bytes()) for path in (prefix / "conda-meta").glob("*.json")]
    return sorted(metas, key=lambda meta: str(meta["name"]))


def listing(prefix: Path) -> list[dict[str, Any]]:
    """What ``conda list --json`` tells of ``prefix``."""
    told = []
    for meta in entries(prefix):
        build = str(meta["build"])
        known = {
            **meta,
            "build_string": build,
            "dist_name": f"{meta['name']}-{meta['version']}-{build}",
            "base_url": str(meta["url"]).rsplit("/", 2)[0],
            "platform": meta.get("subdir", ""),
        }
        told.append({key: known.get(key, "") for key in _LISTED})
    return told


def record_of(meta: dict[str, Any]) -> RepoDataRecord:
    """The solver's record of one entry of ``conda-meta``."""
    channel, subdir, file_name = str(meta["url"]).rsplit("/", 2)
    record = PackageRecord(
        name=meta["name"],
        version=meta["version"],
        build=BuildString(str(meta["build"])),
        build_number=int(meta.get("build_number") or 0),
        subdir=subdir,
        depends=list(meta.get("depends") or ()),
        md5=bytes.fromhex(meta["md5"]) if meta.get("md5") else None,
        sha256=bytes.fromhex(meta["sha256"]) if meta.get("sha256") else None,
    )
    return RepoDataRecord(record, file_name, meta["url"], f"{channel}/")


def install_explicit(file: Path, prefix: Path, platform: str, cache: Path | None) -> int:
    """Install an ``@EXPLICIT`` list into ``prefix``; returns how many packages it has.

    Every package is compared with its hash: local files by us, because rattler does not. Raises
    :class:`InputError` for a list that cannot be used, :class:`Refused` for a wrong hash.
    """
    lock = read_explicit(file.read_text(encoding="utf-8"), where=file.name, platform=platform)
    packages = [package for package in lock.packages if package.manager == "conda"]
    for package in packages:
        _check_local(package)
    records = [record_of(_meta(package)) for package in packages]
    folder = cache / "packages" if cache else None
    asyncio.run(install(records, prefix.absolute(), cache_dir=folder, show_progress=False))
    return len(records)


def _meta(package: LockedPackage) -> dict[str, Any]:
    return {
        **package.model_dump(include={"name", "version", "build", "md5", "sha256"}),
        "url": package.url,
    }


def _check_local(package: LockedPackage) -> None:
    parts = urlsplit(package.url)
    if parts.scheme != "file":
        return
    algorithm = "sha256" if package.sha256 else "md5"
    try:
        with Path(unquote(parts.path)).open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise Unavailable(
            f"{package.file_name} cannot be read: {error.strerror}.", code="package-unreachable"
        ) from error
    if found != (package.sha256 or package.md5):
        raise Refused(
            f"{package.file_name} is not the file that was locked: its {algorithm.upper()} is "
            "another.",
            code="wrong-hash",
            hint="Fetch it anew, or lock the environment again.",
        )
