"""Write one ``.conda`` file: the same input gives the same bytes, wherever and whenever.

Source of facts: the ``.conda`` format as conda-package-streaming writes it, ``index.json`` and
``paths.json`` as conda-build does. That library stamps the current time into the archive, so the
three members are written here.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLACEHOLDER = "/opt/" + "placehold_" * 24
"""What stands in packages for the prefix; the installer writes the real one."""

TIME = 1_700_000_000
LEVEL = 3
NATIVE = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}.get(os.uname().machine, "linux-64")
ARCH = {
    "linux-64": ("x86_64", "linux"),
    "linux-aarch64": ("aarch64", "linux"),
    "osx-arm64": ("arm64", "osx"),
    "noarch": (None, None),
}


@dataclass(frozen=True)
class Entry:
    """One file of a package; ``read`` gives its bytes when their turn comes."""

    path: str
    read: Callable[[], bytes] = bytes
    mode: int = 0o644
    link: str | None = None
    declared: bool = True
    """False: the file is in the archive but ``paths.json`` does not know it."""
    stored: bool = True
    """False: ``paths.json`` promises the file but the archive lacks it (a broken package)."""


@dataclass(frozen=True)
class Package:
    """What ``info/index.json`` says, in conda's own words."""

    name: str
    version: str
    build: str
    subdir: str = "noarch"
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    noarch: str | None = None
    entry_points: tuple[str, ...] = ()
    site_packages: str | None = None
    build_number: int = 0
    license: str = ""
    summary: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}-{self.build}.conda"

    def index(self) -> dict[str, Any]:
        """``info/index.json``."""
        arch, platform = ARCH[self.subdir]
        said = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": self.build_number,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "license": self.license,
            "subdir": self.subdir,
            "timestamp": TIME * 1000,
            "arch": arch,
            "platform": platform,
        }
        if self.noarch:
            said["noarch"] = self.noarch
        if self.site_packages:
            said["python_site_packages_path"] = self.site_packages
        return said


def text(content: str) -> Callable[[], bytes]:
    """``content`` as something to read."""
    return content.encode


def write(package: Package, entries: Iterable[Entry], folder: Path) -> Path:
    """``package`` as a file in ``folder``, replaced in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = package.file_name.removesuffix(".conda")
    with tempfile.TemporaryFile() as held:
        with tarfile.TarFile(fileobj=held, mode="w", encoding="utf-8") as tar:
            paths = [_add(tar, entry) for entry in sorted(entries, key=lambda entry: entry.path)]
        said = [path for path in paths if path is not None]
        held.seek(0)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".writing-")
        with os.fdopen(handle, "wb") as out, zipfile.ZipFile(out, "w") as archive:
            with archive.open(zipfile.ZipInfo("metadata.json"), "w") as member:
                member.write(b'{"conda_pkg_format_version": 2}')
            _compress(archive, f"pkg-{stem}.tar.zst", held)
            _compress(archive, f"info-{stem}.tar.zst", _info(package, said))
    os.chmod(name, 0o644)
    return Path(name).replace(folder / package.file_name)


def _add(tar: tarfile.TarFile, entry: Entry) -> dict[str, Any] | None:
    """Put one file into the archive; what ``paths.json`` says of it, if anything."""
    if entry.link is not None:
        head = _head(entry.path, 0o777)
        head.type, head.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(head)
        return {"_path": entry.path, "path_type": "softlink"}
    data = entry.read()
    if entry.stored:
        head = _head(entry.path, 0o755 if entry.mode & 0o111 else 0o644)
        head.size = len(data)
        tar.addfile(head, io.BytesIO(data))
    if not entry.declared:
        return None
    said: dict[str, Any] = {
        "_path": entry.path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }
    if PLACEHOLDER.encode() in data:
        said |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
    return said


def _head(path: str, mode: int) -> tarfile.TarInfo:
    head = tarfile.TarInfo(path)
    head.mode, head.mtime = mode, TIME
    return head


def _info(package: Package, paths: list[dict[str, Any]]) -> IO[bytes]:
    """The archive of ``info/``, in memory."""
    papers: dict[str, Any] = {
        "about.json": {"license": package.license, "summary": package.summary},
        "index.json": package.index(),
        "paths.json": {"paths_version": 1, "paths": paths},
    }
    if package.noarch == "python":
        link = {"type": "python", "entry_points": list(package.entry_points)}
        papers["link.json"] = {"noarch": link, "package_metadata_version": 1}
    files = {name: json.dumps(said, indent=1, sort_keys=True) for name, said in papers.items()}
    files["files"] = "".join(path["_path"] + "\n" for path in paths)
    out = io.BytesIO()
    with tarfile.TarFile(fileobj=out, mode="w", encoding="utf-8") as tar:
        for name, content in sorted(files.items()):
            head = _head(f"info/{name}", 0o644)
            head.size = len(content.encode())
            tar.addfile(head, io.BytesIO(content.encode()))
    out.seek(0)
    return out


def _compress(archive: zipfile.ZipFile, name: str, source: IO[bytes]) -> None:
    with (
        archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member,
        zstd.ZstdFile(member, "w", level=LEVEL) as stream,
    ):
        shutil.copyfileobj(source, stream, 1 << 20)
