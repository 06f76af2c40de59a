"""The offline channel, and an index of pip's packages made of one tiny wheel."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channel.fixtures import served, small_channel
from tests.channel.serving import serving

__all__ = ["served", "small_channel"]


def wheel(name: str, version: str, folder: Path, requires: str = "") -> Path:
    """A wheel of one module that knows its version."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    papers = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{papers}/METADATA", metadata)
        archive.writestr(
            f"{papers}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{papers}/RECORD", "")
    return path


def index(folder: Path, wheels: list[Path], *, hashes: bool = True) -> Path:
    """PEP 503 pages for ``wheels`` in ``folder``, with or without SHA-256 in their links."""
    by_name: dict[str, list[Path]] = {}
    for path in wheels:
        by_name.setdefault(path.name.split("-")[0], []).append(path)
    for name, paths in by_name.items():
        page = folder / name
        page.mkdir(exist_ok=True)
        links = []
        for path in paths:
            (page / path.name).write_bytes(path.read_bytes())
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            fragment = f"#sha256={digest}" if hashes else ""
            links.append(f'<a href="{path.name}{fragment}">{path.name}</a>')
        (page / "index.html").write_text("<html><body>" + "\n".join(links) + "</body></html>")
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    """``tinyone`` 1.0, which needs ``tinytwo``, in two versions."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    return [
        wheel("tinyone", "1.0", folder, "tinytwo>=1"),
        wheel("tinytwo", "1.0", folder),
        wheel("tinytwo", "2.0", folder),
    ]


@pytest.fixture
def pip_index(tmp_path: Path, wheels: list[Path]) -> Iterator[str]:
    """Address of an index of ``wheels`` with hashes."""
    folder = tmp_path / "index"
    folder.mkdir()
    with serving(index(folder, wheels)) as address:
        yield address


@pytest.fixture
def careless_index(tmp_path: Path, wheels: list[Path]) -> Iterator[str]:
    """Address of an index of ``wheels`` whose links have no hashes."""
    folder = tmp_path / "careless"
    folder.mkdir()
    with serving(index(folder, wheels, hashes=False)) as address:
        yield address
