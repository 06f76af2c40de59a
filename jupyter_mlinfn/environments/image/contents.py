"""What an image contains, file by file: kept inside it, to pack layers over it and to check it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from jupyter_mlinfn.environments.image.files import ImageFile
from jupyter_mlinfn.environments.image.normalising import PAPERS
from jupyter_mlinfn.environments.own.manifest import Entry as Recorded
from jupyter_mlinfn.model.errors import InputError, PartMissing
from jupyter_mlinfn.process.run import run

CONTENTS: Final = f"{PAPERS}/contents.json"
"""Where the list lies in an image."""

BASE: Final = f"{PAPERS}/base.txt"
"""Where a layer names the digest of the image below; no other image has this file."""

_LINK: Final = "->"
_CACHES: Final = "/__pycache__/"
_CHUNK: Final = 2**20
_PATIENCE: Final = 60.0
_LARGEST: Final = 256 * 2**20
_WORTH_THE_NOTES: Final = 32 * 2**20
"""Bytes; the few files besides known ones are read sooner than the notes on all of them."""

Entry = tuple[int, int, str]
"""1 if it may be run; size in bytes; SHA-256 in hexadecimal, for a link ``->target``."""


class Contents(BaseModel):
    """All files and links of an image but its own papers.

    Compiled modules have no content here: ``python``, the interpreter's package, and their
    sources decide it. ``lock`` is the digest of what was installed. Of a layer the entries are
    those of the whole; ``base`` is the digest of the image below and ``gone`` what is not there
    any more.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    lock: str
    python: str | None
    entries: dict[str, Entry]
    base: str | None = None
    gone: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        """How many files (links are none)."""
        return sum(not entry[2].startswith(_LINK) for entry in self.entries.values())


def read_contents(image: ImageFile) -> Contents:
    """The list of contents that an image of ours holds.

    Raises :class:`InputError` when it holds none, :class:`PartMissing` without unsquashfs.
    """
    try:
        return Contents.model_validate(json.loads(read_inside(image, CONTENTS)))
    except (ValueError, ValidationError) as error:
        raise InputError(
            f"{image.path.name} cannot be built upon: it does not say what it contains.",
            code="image-contents",
            hint="Use an image made by 'mlinfn env pack'.",
        ) from error


def base_of(image: ImageFile) -> str | None:
    """The digest of the image that a layer lies over; ``None`` for what is no layer."""
    return read_inside(image, BASE).decode("ascii", "replace").strip() or None


def read_inside(image: ImageFile, *paths: str) -> bytes:
    """The contents of files below the environment's prefix, one after the other as they are
    named; of those that are not there, nothing. Raises :class:`PartMissing` without unsquashfs.
    """
    program = shutil.which("unsquashfs")
    if program is None:
        raise PartMissing(
            "Images are read by unsquashfs, which is not installed here.",
            code="unsquashfs-missing",
            hint="Install squashfs-tools (Debian: apt-get install squashfs-tools).",
        )
    offset = ("-offset", str(image.offset)) if image.offset else ()
    inside = [f"{image.folder}/{path}".lstrip("/") for path in paths]
    argv = [program, "-cat", *offset, str(image.path), *inside]
    return run(argv, deadline=_PATIENCE, max_output=_LARGEST).stdout


def is_compiled(path: str) -> bool:
    """Whether ``path`` is a module that Python compiled."""
    return _CACHES in path


def source_of(compiled: str) -> str:
    """Where the source of a compiled module lies, or lay."""
    folder, _, name = compiled.rpartition(_CACHES)
    return f"{folder}/{name.split('.')[0]}.py"


def list_contents(
    prefix: Path,
    python: str | None,
    lock: str,
    known: Mapping[int, Recorded] = MappingProxyType({}),
) -> Contents:
    """Look through ``prefix``; only what its installer noted no hash of is read. Raises OSError.

    ``known`` are files by inode that were just looked at and may be linked there.
    """
    entries: dict[str, Entry] = {}
    unknown: dict[str, tuple[int, int]] = {}
    for path, entry in _walk(prefix):
        if (same := known.get(entry.inode())) is not None:
            mode, size, _, content = same
            entries[path] = (int(bool(mode & 0o111)), size, "" if is_compiled(path) else content)
            continue
        facts = entry.stat(follow_symlinks=False)
        runs = int(bool(facts.st_mode & 0o111))
        if stat.S_ISLNK(facts.st_mode):
            entries[path] = (0, 0, f"{_LINK}{(prefix / path).readlink()}")
        elif is_compiled(path):
            entries[path] = (runs, facts.st_size, "")
        else:
            unknown[path] = (runs, facts.st_size)
    many = not known or sum(size for _, size in unknown.values()) > _WORTH_THE_NOTES
    noted = _noted(prefix) if many else {}
    for path, (runs, size) in unknown.items():
        entries[path] = (runs, size, _content(prefix, path, size, noted))
    return Contents(lock=lock, python=python, entries=dict(sorted(entries.items())))


def _walk(prefix: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    base, todo = len(str(prefix)) + 1, [str(prefix)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                path = entry.path[base:]
                if entry.is_dir(follow_symlinks=False):
                    if path != PAPERS:
                        todo.append(entry.path)
                else:
                    yield path, entry


def _content(prefix: Path, path: str, size: int, noted: dict[str, tuple[str, int | None]]) -> str:
    known, expected = noted.get(path, ("", None))
    if known and expected in (None, size):
        return known
    hashed = hashlib.sha256()
    with (prefix / path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()


def _noted(prefix: Path) -> dict[str, tuple[str, int | None]]:
    """Hash and size that conda's records give; for a file with the prefix in it no size."""
    found: dict[str, tuple[str, int | None]] = {}
    twice: set[str] = set()
    for record in sorted((prefix / "conda-meta").glob("*.json")):
        paths: list[dict[str, Any]] = (json.loads(record.read_bytes()).get("paths_data") or {}).get(
            "paths"
        ) or []
        for item in paths:
            path = str(item["_path"])
            if path in found:
                twice.add(path)
            if altered := item.get("sha256_in_prefix"):
                found[path] = (str(altered), None)
            elif item.get("sha256") and not item.get("prefix_placeholder"):
                found[path] = (str(item["sha256"]), item.get("size_in_bytes"))
    for path in twice:
        del found[path]
    return found
