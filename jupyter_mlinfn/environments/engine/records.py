"""Rattler's records and entries of a lock: the same packages in two forms.

A lock (CEP 37) knows a package's address, hashes and dependencies, but neither its ``constrains``
nor its kind. The installer reads those from the package; the solver must be told, or it may
choose what an installed package excludes. So records of what is installed are completed from
``conda-meta`` of its prefix, or from ``info/index.json`` of the unpacked package.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from rattler import PackageRecord, PrefixRecord, RepoDataRecord
from rattler.exceptions import ConversionError, IoError
from rattler.package import BuildString

from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage
from jupyter_mlinfn.model.errors import InputError, Unavailable

_SUFFIXES = (".conda", ".tar.bz2")


def stem(file_name: str) -> str:
    """``numpy-2.3.5-py311_0`` of ``numpy-2.3.5-py311_0.conda``: what folders are called after."""
    for suffix in _SUFFIXES:
        if file_name.endswith(suffix):
            return file_name.removesuffix(suffix)
    return file_name


def to_record(package: LockedPackage) -> RepoDataRecord:
    """The record of a lock's entry. Raises :class:`InputError` for one that cannot be one."""
    parts = package.url.split("#")[0].split("?")[0].rsplit("/", 2)
    pieces = stem(package.file_name).rsplit("-", 2)
    if len(parts) != 3 or len(pieces) != 3:
        raise InputError(
            f"The lock's entry for {package.name} has an address that no conda package has: "
            f"{package.url[:200]}",
            code="bad-lock",
            hint="A conda package is CHANNEL/PLATFORM/NAME-VERSION-BUILD.conda. "
            "Nothing was changed.",
        )
    channel, subdir, file_name = parts
    record = PackageRecord(
        name=package.name,
        version=package.version,
        build=BuildString.new_unchecked(package.build or pieces[2]),
        build_number=0,
        subdir=subdir,
        depends=[f"{name} {spec}".strip() for name, spec in package.dependencies.items()],
        sha256=bytes.fromhex(package.sha256) if package.sha256 else None,
        md5=bytes.fromhex(package.md5) if package.md5 else None,
    )
    return RepoDataRecord(record, file_name, package.url.split("#")[0], f"{channel}/")


def to_locked(record: RepoDataRecord, platform: str) -> LockedPackage:
    """The lock's entry of a record, installed on ``platform``."""
    dependencies: dict[str, str] = {}
    for text in record.depends:
        name, _, spec = text.partition(" ")
        known = dependencies.get(name)
        dependencies[name] = f"{known},{spec.strip()}" if known and spec else known or spec.strip()
    return LockedPackage(
        name=record.name.normalized,
        version=str(record.version),
        manager="conda",
        platform=platform,
        url=record.url,
        sha256=record.sha256.hex() if record.sha256 else None,
        md5=record.md5.hex() if record.md5 else None,
        build=str(record.build),
        dependencies=dependencies,
    )


def make_lock(
    channels: Sequence[str],
    platform: str,
    records: Iterable[RepoDataRecord],
    pip: Iterable[LockedPackage] = (),
) -> Lock:
    """The lock of one platform, in the order that locks have."""
    packages = [*(to_locked(record, platform) for record in records), *pip]
    packages.sort(key=lambda package: (package.manager, package.name))
    return Lock(channels=tuple(channels), platforms=(platform,), packages=tuple(packages))


def read_prefix(prefix: Path) -> list[PrefixRecord]:
    """The records of the conda packages in ``prefix``, sorted by name.

    Raises :class:`Unavailable` when one cannot be read.
    """
    records = []
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            records.append(PrefixRecord.from_path(path))
        except (ConversionError, IoError, OSError) as error:
            raise Unavailable(
                f"What is installed in {prefix} cannot be read: {path.name}: {error}",
                code="prefix-damaged",
                hint="Nothing was changed.",
            ) from error
    return records


def completed(packages: Iterable[LockedPackage], prefix: Path, cache: Path) -> list[RepoDataRecord]:
    """Records of a lock's conda packages with all that a solver must know of them."""
    records: list[RepoDataRecord] = []
    for package in packages:
        name = stem(package.file_name)
        noted = prefix / "conda-meta" / f"{name}.json"
        if noted.is_file():
            records.append(PrefixRecord.from_path(noted))
            continue
        record = to_record(package)
        with suppress(FileNotFoundError):  # it was never unpacked, or collected since
            record.constrains = _constrains(cache / name)
        records.append(record)
    return records


def note_constraints(prefix: Path, records: Iterable[RepoDataRecord], cache: Path) -> None:
    """Write ``constrains`` of the unpacked packages into ``conda-meta`` where a lock had none."""
    for record in records:
        if record.constrains:
            continue
        constrains = _constrains(cache / stem(record.file_name))
        if constrains:
            path = prefix / "conda-meta" / f"{stem(record.file_name)}.json"
            noted = PrefixRecord.from_path(path)
            noted.constrains = constrains
            path.unlink()
            noted.write_to_path(path, pretty=False)


def _constrains(unpacked: Path) -> list[str]:
    """What an unpacked package says that it excludes. Raises OSError."""
    return list(json.loads((unpacked / "info" / "index.json").read_bytes()).get("constrains") or ())
