"""The modules of a prefix, by the package that brought them, with a name for their content."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlinfn.environments.reading import read_head

_LARGEST_RECORD = 256 * 2**20
_PYC_HEAD = struct.Struct("<4sIII")
_MAGIC_END = b"\r\n"


@dataclass(frozen=True)
class Python:
    """The interpreter of a prefix.

    ``identity`` names the exact package: another patch release may compile the same source to
    other bytes. ``tag`` is that of compiled files, ``cpython-311``; ``library`` the folder below
    the prefix where modules lie.
    """

    program: Path
    identity: str
    tag: str
    library: str


@dataclass(frozen=True)
class Module:
    """A module's path relative to the prefix, and the SHA-256 of its source."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Group:
    """Modules that came together, sorted by path; ``key`` is a function of them alone."""

    key: str
    modules: tuple[Module, ...]


def find_python(prefix: Path) -> Python | None:
    """The Python of a prefix that conda packages were installed to; ``None`` without one."""
    for path in sorted((prefix / "conda-meta").glob("python-*.json")):
        record = _read(path)
        if record.get("name") != "python":
            continue
        minor = re.match(r"(\d+)\.(\d+)", str(record["version"]))
        if minor is None:
            continue
        name = f"{record['name']}-{record['version']}-{record['build']}"
        identity = f"{name}-{_digest_of(record)[:12]}"
        free = "t" if str(record["build"]).endswith("t") else ""
        library = f"lib/python{minor[1]}.{minor[2]}{free}"
        tag = f"cpython-{minor[1]}{minor[2]}{free}"
        return Python(prefix / "bin" / "python", identity, tag, library)
    return None


def find_groups(prefix: Path, python: Python, *, trust_compiled: bool) -> list[Group]:
    """All modules below the library folder, grouped by conda package, sorted by key.

    What no conda package brought (pip's packages), or several, is read and grouped by the folder
    it lies in. With ``trust_compiled`` packages that brought valid compiled files are left out.
    """
    records = [_read(path) for path in sorted((prefix / "conda-meta").glob("*.json"))]
    listed = [(record, _listed(record, python)) for record in records]
    counts: dict[str, int] = defaultdict(int)
    for _, modules in listed:
        for module in modules:
            counts[module.path] += 1
    groups: list[Group] = []
    seen: set[str] = set()
    for record, modules in listed:
        own = tuple(module for module in modules if counts[module.path] == 1)
        seen.update(module.path for module in own)
        if not own or (trust_compiled and _brought_compiled(prefix, record, own, python)):
            continue
        groups.append(Group(_key(own, _digest_of(record)), own))
    strays = (path for path in _walk(prefix, python.library) if path not in seen)
    return sorted([*groups, *_stray_groups(prefix, strays)], key=lambda group: group.key)


def _read(path: Path) -> Mapping[str, Any]:
    content = json.loads(read_head(path, _LARGEST_RECORD))
    return content if isinstance(content, dict) else {}


def _digest_of(record: Mapping[str, Any]) -> str:
    """The package file's hash; of its name where the channel gave none."""
    known = record.get("sha256") or record.get("md5")
    return str(known or hashlib.sha256(str(record.get("fn")).encode()).hexdigest())


def _listed(record: Mapping[str, Any], python: Python) -> tuple[Module, ...]:
    """Modules of a conda package whose content its record names, sorted by path."""
    found = []
    for item in (record.get("paths_data") or {}).get("paths", ()):
        path, digest = str(item["_path"]), item.get("sha256_in_prefix") or item.get("sha256")
        altered = item.get("prefix_placeholder") and not item.get("sha256_in_prefix")
        if digest and not altered and _is_module(path, python) and _is_file(item):
            found.append(Module(path, str(digest)))
    return tuple(sorted(found, key=lambda module: module.path))


def _is_module(path: str, python: Python) -> bool:
    return path.endswith(".py") and path.startswith(f"{python.library}/") and "\0" not in path


def _is_file(item: Mapping[str, Any]) -> bool:
    return item.get("path_type") != "softlink"


def _key(modules: Iterable[Module], package: str) -> str:
    lines = [package, *(f"{module.sha256} {module.path}" for module in modules)]
    text = "\n".join(lines).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:32]


def _brought_compiled(
    prefix: Path, record: Mapping[str, Any], modules: Iterable[Module], python: Python
) -> bool:
    """Whether the package holds compiled files that its Python takes, for all its modules.

    Valid by the source's time and size, as Python decides (``importlib._bootstrap_external``).
    """
    brought = {str(path) for path in record.get("files", ())}
    for module in modules:
        folder, _, name = module.path.rpartition("/")
        compiled = f"{folder}/__pycache__/{name[:-3]}.{python.tag}.pyc"
        if compiled not in brought or not _valid(prefix / module.path, prefix / compiled):
            return False
    return True


def _valid(source: Path, compiled: Path) -> bool:
    try:
        head, facts = read_head(compiled, _PYC_HEAD.size), source.stat()
    except OSError:
        return False  # not there, or Python could not read it either
    if len(head) < _PYC_HEAD.size:
        return False
    magic, flags, time, size = _PYC_HEAD.unpack(head)
    same_time = flags == 0 and time == int(facts.st_mtime) & 0xFFFFFFFF
    return bool(same_time and size == facts.st_size & 0xFFFFFFFF and magic[2:] == _MAGIC_END)


def _walk(prefix: Path, library: str) -> Iterator[str]:
    """Paths of all modules below the library folder, links to files too."""
    todo = [library] if (prefix / library).is_dir() else []
    while todo:
        folder = todo.pop()
        with os.scandir(f"{prefix}/{folder}") as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(f"{folder}/{entry.name}")
                elif entry.name.endswith(".py") and entry.is_file():
                    yield f"{folder}/{entry.name}"


def _stray_groups(prefix: Path, paths: Iterable[str]) -> Iterator[Group]:
    """One group per folder of ``site-packages``, so that one changed package stays one."""
    folders: dict[str, list[Module]] = defaultdict(list)
    for path in sorted(paths):
        content = (prefix / path).read_bytes()
        module = Module(path, hashlib.sha256(content).hexdigest())
        folders["/".join(path.split("/")[:4])].append(module)
    for modules in folders.values():
        yield Group(_key(modules, "-"), tuple(modules))
