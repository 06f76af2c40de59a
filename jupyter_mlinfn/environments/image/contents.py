"""What an image contains, file by file: kept inside it, to pack layers over it and to check it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from jupyter_mlinfn.environments.image.normalising import PAPERS

_LINK: Final = "->"
_CACHES: Final = "/__pycache__/"
_CHUNK: Final = 2**20

Entry = tuple[int, int, str]
"""1 if it may be run; size in bytes; SHA-256 in hexadecimal, for a link ``->target``."""


class Contents(BaseModel):
    """All files and links of an image but its own papers.

    Compiled modules have no content here: ``python``, the interpreter's package, and their
    sources decide it. ``lock`` is the digest of what was installed.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    lock: str
    python: str | None
    entries: dict[str, Entry]

    @property
    def files(self) -> int:
        """How many files (links are none)."""
        return sum(not entry[2].startswith(_LINK) for entry in self.entries.values())


def list_contents(prefix: Path, python: str | None, lock: str) -> Contents:
    """Look through ``prefix``; only what its installer noted no hash of is read. Raises OSError."""
    noted = _noted(prefix)
    entries: dict[str, Entry] = {}
    for path, facts in _walk(prefix):
        if stat.S_ISLNK(facts.st_mode):
            entries[path] = (0, 0, f"{_LINK}{(prefix / path).readlink()}")
            continue
        runs = int(bool(facts.st_mode & 0o111))
        entries[path] = (runs, facts.st_size, _content(prefix, path, facts.st_size, noted))
    ordered = dict(sorted(entries.items()))
    return Contents(lock=lock, python=python, entries=ordered)


def _walk(prefix: Path) -> Iterator[tuple[str, os.stat_result]]:
    base, todo = len(str(prefix)) + 1, [str(prefix)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                path = entry.path[base:]
                if entry.is_dir(follow_symlinks=False):
                    if path != PAPERS:
                        todo.append(entry.path)
                else:
                    yield path, entry.stat(follow_symlinks=False)


def _content(prefix: Path, path: str, size: int, noted: dict[str, tuple[str, int | None]]) -> str:
    if _CACHES in path:
        return ""
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
