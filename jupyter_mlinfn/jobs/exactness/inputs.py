"""Whether captured files and declared inputs are what was recorded. Standard library only.

The runner asks this too, just before an exact rerun begins.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PLACES: Final = {"module": "modules", "notebook": "", "lock": ""}


@dataclass(frozen=True)
class Changed:
    """A file that is not as recorded: ``why`` in words, ``path`` where it was looked for."""

    name: str
    role: str
    path: str
    why: str


def changed_files(files: Iterable[Mapping[str, Any]], bundle: Path) -> Iterator[Changed]:
    """What differs of the files captured in ``bundle``; ``files`` are ``BundledFile`` documents."""
    for file in files:
        if file["role"] in _PLACES:
            path = bundle / _PLACES[file["role"]] / file["path"]
            if why := _difference(file, path):
                yield Changed(file["path"], file["role"], str(path), why)


def changed_inputs(files: Iterable[Mapping[str, Any]], workdir: Path) -> Iterator[Changed]:
    """What differs of the declared inputs, whose paths are meant from ``workdir``."""
    for file in files:
        if file["role"] == "input":
            path = Path(os.path.normpath(workdir / file["path"]))
            if why := _difference(file, path):
                yield Changed(file["path"], "input", str(path), why)


def _difference(file: Mapping[str, Any], path: Path) -> str:
    """Why ``path`` is not the recorded file; empty when it is."""
    try:
        # a pipe in its place must not make us wait
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"it cannot be read now ({error.strerror})"
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):  # fdopen would refuse a folder in its own words
        os.close(handle)
        return "it is no file now"
    with os.fdopen(handle, "rb") as stream:
        if facts.st_size != file["size"]:
            return f"it had {file['size']} bytes and has {facts.st_size} now"
        if file["sha256"] is None:
            same = abs(facts.st_mtime - file["mtime"]) < 1e-3
            return "" if same else "it was written since (it is known by size and time only)"
        now = hashlib.file_digest(stream, "sha256").hexdigest()
    short = f"sha256 {file['sha256'][:12]}… then, {now[:12]}… now"
    return "" if now == file["sha256"] else f"its content is another ({short})"
