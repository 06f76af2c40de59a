"""SIF files, version 01: a writer and a checking reader in pure Python.

A SIF file is a header, a table of descriptors and data objects, all integers little-endian. The
layout follows the Singularity Image Format as sylabs/sif writes it (module ``pkg/sif``:
``sif.go``, ``descriptor.go``). Our files are a function of their contents: the UUID comes from
the lock's digest and all times are 0.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from jupyter_mlinfn.model.errors import InputError

HEADER: Final = struct.Struct("<32s10s3s3s16s8q")
DESCRIPTOR: Final = struct.Struct("<i?IIIqqqqqqq128s384s")
PARTITION: Final = struct.Struct("<ii3s")
TOTAL: Final = 48
"""Descriptors in the table, used or not."""
TABLE_AT: Final = 4096
DATA_AT: Final = TABLE_AT + TOTAL * DESCRIPTOR.size
ALIGNMENT: Final = 4096
SQUASHFS: Final = 1

_LAUNCH: Final = b"#!/usr/bin/env run-singularity\n"
_MAGIC: Final = b"SIF_MAGIC\0"
_VERSION: Final = b"01\0"
_GROUP: Final = 0xF0000001
_MOST_DESCRIPTORS: Final = 4096
_CHUNK: Final = 2**20
ARCHITECTURES: Final[Mapping[str, bytes]] = {
    "linux-64": b"02\0",
    "linux-aarch64": b"04\0",
    "linux-ppc64le": b"06\0",
    "linux-s390x": b"11\0",
    "linux-riscv64": b"12\0",
}
"""Conda's name of a platform and SIF's number of its architecture."""


class DataType(IntEnum):
    """What an object is."""

    DEFINITION = 0x4001
    ENVIRONMENT = 0x4002
    LABELS = 0x4003
    PARTITION = 0x4004
    SIGNATURE = 0x4005
    JSON = 0x4006
    GENERIC = 0x4007


class PartitionKind(IntEnum):
    """What a partition is for: ``PRIMARY`` is a container's root."""

    SYSTEM = 1
    PRIMARY = 2
    DATA = 3
    OVERLAY = 4


@dataclass(frozen=True)
class Partition:
    """A squashfs file, or ``size`` bytes from ``offset`` of a file, that becomes a partition."""

    name: str
    source: Path
    kind: PartitionKind
    offset: int = 0
    size: int | None = None


@dataclass(frozen=True)
class Item:
    """One object of a SIF file that was read; ``offset`` and ``size`` in bytes."""

    identifier: int
    data_type: int
    name: str
    offset: int
    size: int
    file_system: int | None = None
    kind: int | None = None
    architecture: bytes | None = None


@dataclass(frozen=True)
class Sif:
    """The table of a SIF file that was read and checked."""

    path: Path
    identifier: uuid.UUID
    architecture: bytes
    items: tuple[Item, ...]

    def partition(self, *kinds: PartitionKind) -> Item:
        """The first squashfs partition of the first kind that there is one of.

        Raises :class:`InputError` when there is none.
        """
        for kind in kinds:
            for item in self.items:
                if item.kind == kind and item.file_system == SQUASHFS:
                    return item
        wanted = " or ".join(kind.name.lower() for kind in kinds)
        raise _unusable(self.path, f"it holds no {wanted} partition", "sif-partition")

    def read(self, item: Item, most: int = 16 * 2**20) -> bytes:
        """The bytes of a small object; at most ``most``. Raises OSError."""
        with self.path.open("rb") as file:
            file.seek(item.offset)
            return file.read(min(item.size, most))


def write_sif(
    path: Path,
    partitions: tuple[Partition, ...],
    *,
    platform: str,
    lock: str,
    labels: Mapping[str, str],
) -> None:
    """Write ``path`` anew (mode 0755) from squashfs files; byte-identical for the same inputs.

    ``platform`` is conda's name, ``lock`` the digest that names the contents. Raises
    :class:`InputError` for a platform that SIF has no number for, and OSError.
    """
    architecture = _architecture(platform)
    all_labels = {"org.jupyter-mlinfn.lock": lock, **labels}
    small = (
        (DataType.LABELS, "labels.json", _json(all_labels)),
        (DataType.JSON, "inspect-metadata.json", _json(_inspection(all_labels))),
    )
    rows: list[bytes] = []
    with path.open("wb") as file:
        file.seek(DATA_AT)
        for data_type, name, content in small:
            before = file.tell()
            file.write(content)
            rows.append(_row(len(rows) + 1, data_type, name, (before, before, file.tell()), b""))
        for partition in partitions:
            before = file.tell()
            start = before + -before % ALIGNMENT
            file.seek(start)
            _copy(partition, file)
            extra = PARTITION.pack(SQUASHFS, partition.kind, architecture)
            where = (before, start, file.tell())
            rows.append(_row(len(rows) + 1, DataType.PARTITION, partition.name, where, extra))
        _write_head(file, rows, architecture, lock)
    path.chmod(0o755)


def read_sif(path: Path, *, platform: str | None = None, runnable: bool = False) -> Sif:
    """The table of ``path``, checked; with ``platform`` its architecture must be that one.

    ``runnable`` asks for exactly one primary partition. Raises :class:`InputError` for what is
    no SIF file or a broken one, and OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = _read_header(path, file)
        if not 0 < head.total <= _MOST_DESCRIPTORS or head.table_size != (
            head.total * DESCRIPTOR.size
        ):
            raise _unusable(path, "the size of its table is wrong", "sif-table")
        if head.table_at < HEADER.size or head.table_at + head.table_size > size:
            raise _unusable(path, "its table is cut off", "sif-table")
        file.seek(head.table_at)
        table = file.read(head.table_size)
    rows = (_Row(*row) for row in DESCRIPTOR.iter_unpack(table))
    items = tuple(_item(path, row, size) for row in rows if row.used)
    found = Sif(path, uuid.UUID(bytes=head.identifier), head.architecture, items)
    _check(found, platform, runnable)
    return found


def is_sif(path: Path) -> bool:
    """Whether the file begins as a SIF file does. Raises OSError."""
    with path.open("rb") as file:
        return file.read(42)[32:] == _MAGIC


def _copy(partition: Partition, file: BinaryIO) -> None:
    with partition.source.open("rb") as source:
        source.seek(partition.offset)
        if partition.size is None:
            shutil.copyfileobj(source, file, _CHUNK)
            return
        left = partition.size
        while left and (chunk := source.read(min(left, _CHUNK))):
            file.write(chunk)
            left -= len(chunk)


def _architecture(platform: str) -> bytes:
    try:
        return ARCHITECTURES[platform]
    except KeyError:
        raise InputError(
            f"A SIF file cannot be made for the platform {platform!r}.",
            code="sif-platform",
            hint=f"It can for {', '.join(ARCHITECTURES)}.",
        ) from None


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _inspection(labels: Mapping[str, str]) -> object:
    """What ``apptainer inspect`` reads; without it inspect starts the container."""
    attributes = {
        "deffile": "",
        "environment": {},
        "labels": dict(labels),
        "runscript": "",
        "startscript": "",
    }
    return {"data": {"attributes": attributes}, "type": "container"}


def _row(
    identifier: int, data_type: DataType, name: str, where: tuple[int, int, int], extra: bytes
) -> bytes:
    """One descriptor; ``where``: end of the object before, start, end."""
    before, start, end = where
    encoded = name.encode()[:127]
    times_and_owners = (0, 0, 0, 0)
    return DESCRIPTOR.pack(
        data_type, True, identifier, _GROUP, 0, start, end - start, end - before,
        *times_and_owners, encoded, extra,
    )  # fmt: skip


def _write_head(file: BinaryIO, rows: list[bytes], architecture: bytes, lock: str) -> None:
    end = file.tell()
    file.seek(TABLE_AT)
    file.write(b"".join(rows).ljust(TOTAL * DESCRIPTOR.size, b"\0"))
    identifier = uuid.UUID(bytes=bytes.fromhex(lock.removeprefix("sha256:"))[:16])
    counts = (TOTAL - len(rows), TOTAL)
    places = (TABLE_AT, TOTAL * DESCRIPTOR.size, DATA_AT, end - DATA_AT)
    file.seek(0)
    file.write(
        HEADER.pack(
            _LAUNCH, _MAGIC, _VERSION, architecture, identifier.bytes, 0, 0, *counts, *places
        )
    )


class _Header(NamedTuple):
    """The fields of the header, in the order of the file."""

    launch: bytes
    magic: bytes
    version: bytes
    architecture: bytes
    identifier: bytes
    created: int
    modified: int
    free: int
    total: int
    table_at: int
    table_size: int
    data_at: int
    data_size: int


class _Row(NamedTuple):
    """The fields of a descriptor, in the order of the file."""

    data_type: int
    used: bool
    identifier: int
    group: int
    linked: int
    offset: int
    size: int
    padded: int
    created: int
    modified: int
    owner: int
    owner_group: int
    name: bytes
    extra: bytes


def _read_header(path: Path, file: BinaryIO) -> _Header:
    raw = file.read(HEADER.size)
    if len(raw) < HEADER.size or raw[32:42] != _MAGIC:
        raise _unusable(path, "it does not begin as one", "sif-magic")
    head = _Header(*HEADER.unpack(raw))
    if head.version != _VERSION:
        raise _unusable(path, f"its version is {head.version!r}, not 01", "sif-version")
    return head


def _item(path: Path, row: _Row, size: int) -> Item:
    if row.offset < HEADER.size or row.size < 0 or row.offset + row.size > size:
        raise _unusable(path, f"its object {row.identifier} lies beyond the end", "sif-object")
    text = row.name.split(b"\0")[0].decode("utf-8", "replace")
    if row.data_type != DataType.PARTITION:
        return Item(row.identifier, row.data_type, text, row.offset, row.size)
    file_system, kind, architecture = PARTITION.unpack_from(row.extra)
    return Item(
        row.identifier, row.data_type, text, row.offset, row.size, file_system, kind, architecture
    )


def _check(sif: Sif, platform: str | None, runnable: bool) -> None:
    primary = [item for item in sif.items if item.kind == PartitionKind.PRIMARY]
    if len(primary) > 1:
        raise _unusable(sif.path, "it has two root partitions", "sif-primary")
    if runnable and not primary:
        raise _unusable(sif.path, "it has no root partition to run", "sif-primary")
    if platform is None:
        return
    wanted = _architecture(platform)
    held = {item.architecture for item in sif.items if item.architecture is not None}
    if sif.architecture != wanted or held - {wanted}:
        raise _unusable(sif.path, f"it was made for another machine than {platform}", "sif-arch")


def _unusable(path: Path, why: str, code: str) -> InputError:
    return InputError(
        f"{path.name} cannot be used as a SIF image: {why}.",
        code=code,
        hint="Copy or pack the image again; the environment itself is untouched.",
    )
