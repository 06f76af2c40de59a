"""An installed prefix without the traces of where, when and by whom it was installed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

PAPERS: Final = "share/mlinfn"
"""Where an image keeps its own papers, below the prefix."""

_OF_THE_MACHINE: Final = ("extracted_package_dir", "package_tarball_full_path", "link")
_TOKEN: Final = re.compile(r"/t/[^/]+/")
_SCRIPT_ROW: Final = re.compile(r"((?:\.\./)+bin/[^,\"]+),sha256=[^,]*,\d+", re.ASCII)


def normalise(prefix: Path) -> None:
    """Make ``prefix`` a function of its lock; every altered file is written anew.

    Files may be hard links of the package cache: none is written to. Raises OSError.
    """
    for record in sorted((prefix / "conda-meta").glob("*.json")):
        _replace(record, _conda_record(json.loads(record.read_bytes())))
    _replace(prefix / "conda-meta" / "history", b"")
    for record in sorted(prefix.glob("lib/python*/site-packages/*.dist-info/RECORD")):
        _pip_record(record)


def write_papers(prefix: Path, papers: Iterable[tuple[str, str]]) -> None:
    """Put texts below :data:`PAPERS`, where the image says what it is. Raises OSError."""
    folder = prefix / PAPERS
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in papers:
        _replace(folder / name, text.encode())


def without_secrets(url: str) -> str:
    """An address without user, password, and conda's token in the path."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = _TOKEN.sub("/", parts.path) if host else parts.path
    return urlunsplit(parts._replace(netloc=host, path=path))


def _replace(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _conda_record(record: dict[str, Any]) -> bytes:
    """Without this machine's folders; addresses without secrets; keys sorted."""
    for key in _OF_THE_MACHINE:
        if key in record:
            record[key] = None
    for key in ("url", "channel"):
        if isinstance(record.get(key), str):
            record[key] = without_secrets(record[key])
    if isinstance(record.get("files"), list):
        record["files"] = sorted(record["files"])
    paths = record.get("paths_data")
    if isinstance(paths, dict) and isinstance(paths.get("paths"), list):
        paths["paths"] = sorted(paths["paths"], key=lambda item: str(item.get("_path")))
    return json.dumps(record, sort_keys=True).encode() + b"\n"


def _pip_record(record: Path) -> None:
    """pip noted hashes of scripts that named the staging folder then."""
    text = record.read_text(encoding="utf-8")

    def row(found: re.Match[str]) -> str:
        script = record.parent.parent / found[1]
        if not script.is_file():
            return found[0]
        content = script.read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        return f"{found[1]},sha256={digest},{len(content)}"

    changed = _SCRIPT_ROW.sub(row, text)
    if changed != text:
        _replace(record, changed.encode())
