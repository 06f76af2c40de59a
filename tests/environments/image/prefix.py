"""Prefixes as an installer leaves them, small and with the machine's own Python."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
SITE = f"lib/python{MINOR}/site-packages"


def sha256(content: bytes | str) -> str:
    """In hexadecimal."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def make_prefix(prefix: Path, program: str = sys.executable) -> Path:
    """A prefix with a Python that is a way to this machine's."""
    python = prefix / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    python.chmod(0o755)
    (prefix / SITE).mkdir(parents=True)
    add_package(prefix, "python", f"{MINOR}.0", {})
    return prefix


def add_package(prefix: Path, name: str, version: str, contents: dict[str, str]) -> Path:
    """A conda package with these files (path in ``site-packages`` to text); its record."""
    paths = []
    for relative, text in contents.items():
        path = prefix / SITE / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        item = {"_path": f"{SITE}/{relative}", "path_type": "hardlink", "sha256": sha256(text)}
        paths.append({**item, "size_in_bytes": len(text)})
    content = json.dumps(sorted(contents.items()))
    record = {
        "name": name,
        "version": version,
        "build": "0",
        "fn": f"{name}-{version}-0.conda",
        "sha256": sha256(f"{name} {version} {content}"),
        "url": f"https://user:secret@channel.test/t/to-ken/lab/noarch/{name}-{version}-0.conda",
        "channel": "https://user:secret@channel.test/t/to-ken/lab",
        "extracted_package_dir": f"{prefix}/../packages/{name}",
        "link": {"source": f"{prefix}/../packages/{name}", "type": 1},
        "files": [item["_path"] for item in paths],
        "paths_data": {"paths_version": 1, "paths": paths},
    }
    path = prefix / "conda-meta" / f"{name}-{version}-0.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))
    return path
