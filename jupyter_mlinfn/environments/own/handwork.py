"""What was done by hand to an installed lock: whole packages put there by tools, and edits.

pip and conda note which files a package has (``RECORD``, ``conda-meta``). A file that is other
than was installed and belongs to a package that came, went or changed is explained by it. All
others were edited, deleted or put there by hand: no package has them, so no lock can.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal

from packaging.utils import canonicalize_name, canonicalize_version

from jupyter_mlinfn.environments.locks.document import LockedPackage
from jupyter_mlinfn.environments.own.manifest import FileDifference, Manifest, verify
from jupyter_mlinfn.environments.reading import read_text_head

_LARGEST = 64 * 2**20
_NOTES = "conda-meta/"

Manager = Literal["conda", "pip"]


@dataclass(frozen=True)
class Installed:
    """One package as its installer noted it; ``files`` by path in the prefix, with SHA-256.

    ``metadata`` are its files that say to Python that it is there; ``wanted``: somebody asked for
    it by name. ``released``: a lock can name it (it came from no folder and no version control).
    """

    name: str
    version: str
    manager: Manager
    build: str | None = None
    files: Mapping[str, str | None] = field(default_factory=dict)
    metadata: tuple[str, ...] = ()
    wanted: bool = False
    released: bool = True


@dataclass(frozen=True)
class HandWork:
    """``fresh`` came or changed, ``gone`` are names of locked packages that went away.

    ``edited`` are the paths that no package explains.
    """

    differences: tuple[FileDifference, ...]
    fresh: tuple[Installed, ...]
    gone: tuple[tuple[Manager, str], ...]
    edited: tuple[str, ...]

    @property
    def packages(self) -> bool:
        """Whether whole packages are other than in the lock."""
        return bool(self.fresh or self.gone)

    @property
    def gone_conda(self) -> frozenset[str]:
        """Names of conda packages that are not there any more."""
        return frozenset(name for manager, name in self.gone if manager == "conda")

    @property
    def gone_pip(self) -> frozenset[str]:
        """Canonical names of pip packages that are not there any more."""
        return frozenset(name for manager, name in self.gone if manager == "pip")


def look(prefix: Path, recorded: Manifest, locked: Iterable[LockedPackage]) -> HandWork:
    """What is other in ``prefix`` than was installed from ``locked``.

    Raises OSError, and ValueError where an installer's notes cannot be read.
    """
    differences = verify(prefix, recorded)
    if not differences:
        return HandWork((), (), (), ())
    known: dict[tuple[Manager, str], tuple[str, str | None]] = {
        (p.manager, _key(p.manager, p.name)): (p.version, p.build or None) for p in locked
    }
    conda = list(_conda(prefix))
    pip = [p for p in _pip(prefix, {path for one in conda for path in one.files}) if p.released]
    there = [one for one in conda if _is_there(prefix, one, pip)] + pip
    present: dict[tuple[Manager, str], Installed] = {
        (one.manager, _key(one.manager, one.name)): one for one in there
    }
    fresh = tuple(one for key, one in present.items() if not _same(known.get(key), one))
    gone = tuple(sorted(key for key in known if key not in present))
    return HandWork(
        differences, fresh, gone, tuple(_unexplained(prefix, differences, there, fresh, gone))
    )


def _key(manager: Manager, name: str) -> str:
    return str(canonicalize_name(name)) if manager == "pip" else name


def _same(known: tuple[str, str | None] | None, one: Installed) -> bool:
    """Whether the lock has this version; locks of other programs name no builds."""
    if known is None:
        return False
    version, build = known
    if one.manager == "pip":
        return canonicalize_version(version) == canonicalize_version(one.version)
    return version == one.version and build in (None, one.build)


def _is_there(prefix: Path, one: Installed, pip: Iterable[Installed]) -> bool:
    """pip takes a conda package away and leaves conda's note of it.

    One that pip replaced counts as there: installing both again comes to the same files.
    """
    if not one.metadata or any((prefix / path).exists() for path in one.metadata):
        return True
    return any(canonicalize_name(other.name) == canonicalize_name(one.name) for other in pip)


def _unexplained(
    prefix: Path,
    differences: Iterable[FileDifference],
    there: Iterable[Installed],
    fresh: tuple[Installed, ...],
    gone: tuple[tuple[Manager, str], ...],
) -> Iterator[str]:
    of_fresh = {path: digest for one in fresh for path, digest in one.files.items()}
    replaced = {str(canonicalize_name(one.name)) for one in fresh}
    staying = {
        path
        for one in there
        if one not in fresh and str(canonicalize_name(one.name)) not in replaced
        for path in one.files
    }
    for difference in differences:
        path = difference.path
        if path.startswith(_NOTES) and (fresh or gone):
            continue
        if path in of_fresh:
            explained = difference.kind != "missing" and _is(prefix / path, of_fresh[path])
        else:
            went = difference.kind == "missing" and path not in staying
            explained = went and bool(gone or replaced)
        if not explained:
            yield path


def _is(path: Path, digest: str | None) -> bool:
    """Whether the file is as its package has it, where the package says so."""
    if digest is None or path.is_symlink():
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def _conda(prefix: Path) -> Iterator[Installed]:
    for note in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            said = json.loads(note.read_bytes())
            paths = said.get("paths_data", {}).get("paths", ())
            files = {item["_path"]: _hash_in_prefix(item) for item in paths}
            yield Installed(
                name=said["name"],
                version=said["version"],
                manager="conda",
                build=said["build"],
                files={**dict.fromkeys(said.get("files", ())), **files},
                metadata=tuple(path for path in files if _is_metadata(path)),
                wanted=bool(said.get("requested_spec") or said.get("requested_specs")),
            )
        except (KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"{note.name} is no note of conda") from error


def _hash_in_prefix(item: Mapping[str, str]) -> str | None:
    """A file into which the prefix was written has another content than its package."""
    if item.get("sha256_in_prefix") or not item.get("prefix_placeholder"):
        return item.get("sha256_in_prefix") or item.get("sha256")
    return None


def _is_metadata(path: str) -> bool:
    parts = PurePosixPath(path)
    return parts.name == "METADATA" and parts.parent.name.endswith(".dist-info")


def _pip(prefix: Path, of_conda: set[str]) -> Iterator[Installed]:
    """What pip installed: the metadata that no conda package brought."""
    for info in sorted(prefix.glob("lib/python*/site-packages/*.dist-info")):
        metadata = str(info.relative_to(prefix) / "METADATA")
        if metadata in of_conda or not (info / "METADATA").is_file():
            continue
        name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
        yield Installed(
            name=name,
            version=version,
            manager="pip",
            files=dict(_recorded(prefix, info)),
            metadata=(metadata,),
            wanted=(info / "REQUESTED").exists(),
            released=_is_released(info),
        )


def _is_released(info: Path) -> bool:
    """Whether others can fetch it (PEP 610): not from a folder, nor from version control."""
    path = info / "direct_url.json"
    if not path.is_file():
        return True
    said = json.loads(read_text_head(path, _LARGEST))
    return not ("vcs_info" in said or "dir_info" in said)


def _recorded(prefix: Path, info: Path) -> Iterator[tuple[str, str | None]]:
    """The files of a package by its ``RECORD``, with SHA-256 where that is noted."""
    here = info.parent.relative_to(prefix)
    yield from ((str(path.relative_to(prefix)), None) for path in info.iterdir())
    record = info / "RECORD"
    if not record.is_file():
        return
    for row in csv.reader(read_text_head(record, _LARGEST).splitlines()):
        path = _normal(here / row[0]) if row else None
        if path is not None:
            yield path, _hexadecimal(row[1]) if len(row) > 1 else None


def _normal(path: PurePath) -> str | None:
    """``bin/x`` for ``lib/python3.11/site-packages/../../../bin/x``; ``None`` outside."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return None if path.is_absolute() else "/".join(parts)


def _hexadecimal(text: str) -> str | None:
    """``RECORD`` has ``sha256=`` and unpadded base 64 (PEP 376)."""
    if not text.startswith("sha256="):
        return None
    digits = text.removeprefix("sha256=")
    return base64.urlsafe_b64decode(digits + "=" * (-len(digits) % 4)).hex()
