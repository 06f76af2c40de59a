"""Wheels made here, and an index of them as pip reads it (PEP 503)."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path


def wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """A module that knows its version, and a program ``NAME-tells`` that says it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
    files = {
        f"{name}.py": f"VERSION = {version!r}\ndef main():\n    print({name!r}, VERSION)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-tells = {name}:main\n",
    }
    record = "".join(f"{file},,\n" for file in files) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(file, text)
    return path


def write_index(folder: Path, wheels: Iterable[Path]) -> Path:
    """Pages below ``folder`` for ``wheels``, which lie there too."""
    pages: dict[str, list[str]] = {}
    for path in wheels:
        name = path.name.split("-")[0].replace("_", "-")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        link = f'<a href="../{path.name}#sha256={digest}">{path.name}</a>'
        pages.setdefault(name, []).append(link)
    for name, links in pages.items():
        page = folder / name / "index.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"<!DOCTYPE html><html><body>{'<br>'.join(links)}</body></html>")
    return folder
