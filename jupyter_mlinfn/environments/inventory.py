"""What is installed in a prefix, read from its metadata without running its interpreter.

Sources: the ``*.dist-info/METADATA`` and ``*.egg-info`` folders that the interpreter would see
(Python packaging's "Recording installed projects"), and the file names of ``conda-meta/``, which
carry name, version and build (CEP 34). The digest of the sorted result is the identity of an
environment that has no lock: "inventoried, not locked". It does not see edits of files in place.

Needs the standard library and ``model`` only, so that the job runner can take it at start.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jupyter_mlinfn.environments.prefixes import read_pyvenv, site_folders
from jupyter_mlinfn.environments.reading import read_head, read_text_head
from jupyter_mlinfn.model.environments import Package, PackageDifference

_HEAD = 4096
_NAME = re.compile(rb"^Name:[ \t]*(\S+)", re.MULTILINE)
_VERSION = re.compile(rb"^Version:[ \t]*(\S+)", re.MULTILINE)
_PATCHLEVEL = re.compile(r'#define PY_VERSION\s+"([^"]+)"')
_CONDA_FILE = re.compile(r"(.+)-([^-]+)-([^-]+)\.json")


def inventory(prefix: Path, python: str, extra: Sequence[Path] = ()) -> tuple[Package, ...]:
    """Everything importable or linked in ``prefix``, sorted by name.

    ``python`` is ``"3.11"`` (empty for a prefix without Python, where only conda's packages
    count); ``extra`` are folders that come first on the path (``PYTHONPATH`` of a kernel).
    Where a name is found twice, the one that Python would import counts.
    """
    conda = {package.name: package for package in _conda_packages(prefix / "conda-meta")}
    found: dict[str, Package] = {}
    folders = (*extra, *site_folders(prefix, python)) if python else ()
    for folder in folders:
        for package in _distributions(folder, below_conda=bool(conda)):
            found.setdefault(package.name, package)
    if python and "python" not in conda:
        found["python"] = Package(
            name="python", version=python_version(prefix, python), source="other"
        )
    packages = {(p.name, p.source): p for p in (*found.values(), *conda.values())}
    return tuple(packages[key] for key in sorted(packages))


def digest(packages: Iterable[Package]) -> str:
    """``sha256:…`` of the packages, whatever their order."""
    lines = sorted(f"{p.name} {p.version} {p.build or '-'} {p.source}" for p in packages)
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def compare(
    recorded: Iterable[Package], present: Iterable[Package]
) -> tuple[PackageDifference, ...]:
    """What differs, sorted by name; empty when both have the same digest."""
    before, after = _by_name(recorded), _by_name(present)
    return tuple(
        PackageDifference(name=name, recorded=before.get(name), present=after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def describe(differences: Sequence[PackageDifference], most: int = 4) -> str:
    """One line for people: ``numpy 1.26.4 → 2.0.0, torch 2.3 is gone, and 3 more``."""
    shown = [_in_words(difference) for difference in differences[:most]]
    if len(differences) > most:
        shown.append(f"and {len(differences) - most} more")
    return ", ".join(shown)


def python_version(prefix: Path, python: str) -> str:
    """``3.11.7`` where the prefix says so, else ``python`` (``3.11``) itself."""
    settings = read_pyvenv(prefix)
    noted = settings.get("version") or settings.get("version_info")
    if noted:
        return ".".join(noted.split(".")[:3])
    for record in (prefix / "conda-meta").glob("python-[0-9]*.json"):
        return record.name.split("-")[1]
    header = prefix / "include" / f"python{python}" / "patchlevel.h"
    try:
        patch = _PATCHLEVEL.search(read_text_head(header))
    except OSError:
        return python  # Headers are an optional part of a system's Python.
    return patch[1] if patch else python


def _by_name(packages: Iterable[Package]) -> dict[str, str]:
    """``name`` → version, build and foreign source in one text."""
    texts: dict[str, list[str]] = {}
    for package in packages:
        text = package.version + (f" ({package.build})" if package.build else "")
        texts.setdefault(package.name, []).append(text)
    return {name: " and ".join(sorted(versions)) for name, versions in texts.items()}


def _in_words(difference: PackageDifference) -> str:
    if difference.present is None:
        return f"{difference.name} {difference.recorded} is gone"
    if difference.recorded is None:
        return f"{difference.name} {difference.present} is new"
    return f"{difference.name} {difference.recorded} → {difference.present}"


def _conda_packages(folder: Path) -> Iterator[Package]:
    """Conda's packages from file names alone: the files list every path and are large."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        if parts := _CONDA_FILE.fullmatch(name):
            yield Package(name=parts[1], version=parts[2], build=parts[3], source="conda")


def _distributions(folder: Path, below_conda: bool) -> Iterator[Package]:
    """The distributions of one folder of ``sys.path``; conda's own are conda's to tell."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError:
        return  # A folder on the path that is absent or closed holds nothing importable.
    for name in names:
        if name.startswith("~"):
            continue  # pip renames a half-removed package so; Python no longer sees it.
        if name.endswith(".dist-info"):
            if below_conda and _installer(folder / name) == "conda":
                continue
            package = _read_metadata(folder / name / "METADATA")
        elif name.endswith(".egg-info"):
            package = _read_metadata(folder / name / "PKG-INFO") or _read_metadata(folder / name)
        else:
            continue
        if package is not None:
            yield package


def _installer(info: Path) -> str:
    try:
        return read_text_head(info / "INSTALLER", _HEAD).strip()
    except OSError:
        return ""  # The file is optional.


def _read_metadata(path: Path) -> Package | None:
    """Name and version from the head of a metadata file; ``None`` when it holds none."""
    try:
        head = read_head(path, _HEAD)
    except OSError:
        return None  # A folder without METADATA is a left-over, not an installed project.
    name, version = _NAME.search(head), _VERSION.search(head)
    if not name or not version:
        return None
    canonical = re.sub(r"[-_.]+", "-", name[1].decode("utf-8", "replace")).lower()
    return Package(name=canonical, version=version[1].decode("utf-8", "replace"))
