"""The manifest of an installed prefix: which files it has, and what is in them.

A job runs in exactly the files that were recorded. A look at size, time and mode of every file
finds what may have changed; only that is read. Compiled modules (``__pycache__``) are left out:
Python writes them by itself whenever it likes. So are new files below ``var/cache``, where
programs such as fontconfig keep what they found.

``manifest.json`` holds per file ``[mode, size, mtime_ns, "sha256 in hexadecimal"]``, for a link
``[0, 0, 0, "->target"]``. Needs the standard library and ``model`` only, as the job runner takes
it at start.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from jupyter_mlinfn.process.durable import write_atomically

Entry = tuple[int, int, int, str]
"""Mode, size in bytes, time of change in ns, SHA-256 in hexadecimal (of a link ``->target``)."""

_LINK = "->"
_RUN_BY = 0o111
_CACHES = "var/cache/"
_RECORDS = "conda-meta/"
_NOTHING: Final[Mapping[int, Entry]] = {}
_WORTH_THE_NOTES = 32 * 2**20
"""Bytes; the few files besides known ones are read sooner than the notes on all of them."""
_WRITTEN_BY_PYTHON = "__pycache__"


@dataclass(frozen=True)
class Manifest:
    """What a prefix contains: bytes, number of files (compiled modules too), and its digest.

    ``digest`` is ``sha256:…`` of paths, contents and permissions to run; the installer's own
    notes (``conda-meta``), which name its cache, do not count.
    """

    size: int
    files: int
    digest: str
    entries: Mapping[str, Entry]


@dataclass(frozen=True)
class FileDifference:
    """One file that is not as it was recorded; ``path`` is relative to the prefix."""

    path: str
    kind: Literal["changed", "missing", "new"]


@dataclass
class _Found:
    """What a walk through a prefix saw: entries without their content, and the totals."""

    entries: dict[str, Entry]
    size: int = 0
    files: int = 0


def write(prefix: Path, path: Path, known: Mapping[int, Entry] = _NOTHING) -> Manifest:
    """Record all files of ``prefix`` at ``path``.

    ``known`` are files by inode that were just looked at and may be linked there: they are not
    looked at again. Hashes of others come from ``conda-meta`` where the installer noted them,
    everything else is read: so this must be called right after the installation. Raises OSError.
    """
    found = _walk(prefix, known)
    entries = found.entries
    unknown = [name for name, entry in entries.items() if not entry[3]]
    if not known or sum(entries[name][1] for name in unknown) > _WORTH_THE_NOTES:
        noted = _noted_hashes(prefix)
        for name in unknown:
            mode, size, mtime, _ = entries[name]
            digest, expected = noted.get(name, ("", -1))
            if expected == size:
                entries[name] = (mode, size, mtime, digest)
        unknown = [name for name in unknown if not entries[name][3]]
    for name, digest in _hash_all(prefix, unknown):
        entries[name] = (*entries[name][:3], digest)
    manifest = Manifest(found.size, found.files, _digest(entries), entries)
    about = {"schema_version": 1, "size": found.size, "files": found.files}
    write_atomically(path, json.dumps({**about, "digest": manifest.digest, "entries": entries}))
    return manifest


def read(path: Path) -> Manifest:
    """The manifest written at ``path``. Raises OSError, and ValueError when it is damaged."""
    try:
        content = json.loads(path.read_bytes())
        entries = {name: tuple(entry) for name, entry in content["entries"].items()}
        manifest = Manifest(content["size"], content["files"], content["digest"], entries)
        damaged = _digest(entries) != manifest.digest
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} is no manifest") from error
    if damaged:
        raise ValueError(f"{path} was edited")
    return manifest


def verify(
    prefix: Path, manifest: Manifest, known: Mapping[int, Entry] = _NOTHING
) -> tuple[FileDifference, ...]:
    """What is not as recorded, sorted by path; empty when the prefix is what it was.

    A file with another time but the same content is the same. ``known`` are files by inode that
    were just looked at. Raises OSError when ``prefix`` cannot be read.
    """
    present = _walk(prefix, known).entries
    differences: list[FileDifference] = []
    doubtful: list[str] = []
    for name, recorded in manifest.entries.items():
        now = present.pop(name, None)
        if now is None:
            differences.append(FileDifference(name, "missing"))
        elif _certainly_other(recorded, now):
            differences.append(FileDifference(name, "changed"))
        elif now[2] != recorded[2]:
            doubtful.append(name)
    differences += [
        FileDifference(name, "changed")
        for name, digest in _hash_all(prefix, doubtful)
        if digest != manifest.entries[name][3]
    ]
    differences += [FileDifference(n, "new") for n in present if not n.startswith(_CACHES)]
    return tuple(sorted(differences, key=lambda difference: difference.path))


def describe(differences: Sequence[FileDifference], most: int = 4) -> str:
    """One line for people: ``lib/a.py was changed; 14 files in lib/b are new; and 3 more``."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for difference in differences:
        groups[_part_of(difference.path), difference.kind].append(difference.path)
    words = {"changed": ("was", "were"), "missing": ("is", "are"), "new": ("is", "are")}
    told = [
        f"{paths[0]} {words[kind][0]} {kind}"
        if len(paths) == 1
        else f"{len(paths)} files in {part} {words[kind][1]} {kind}"
        for (part, kind), paths in groups.items()
    ]
    more = [f"and {len(told) - most} more"] if len(told) > most else []
    return "; ".join([*told[:most], *more])


def _part_of(path: str) -> str:
    """The folder that people know a file by: the package in ``site-packages``, else two levels."""
    parts = path.split("/")
    depth = parts.index("site-packages") + 2 if "site-packages" in parts else 2
    return "/".join(parts[: min(depth, len(parts) - 1)]) or "."


def _certainly_other(recorded: Entry, now: Entry) -> bool:
    """Whether no look at the content is needed to tell that it is another file."""
    if _LINK in (recorded[3][:2], now[3][:2]):
        return recorded[3] != now[3]
    return recorded[1] != now[1] or bool((recorded[0] ^ now[0]) & _RUN_BY)


def _walk(prefix: Path, known: Mapping[int, Entry]) -> _Found:
    """Every file and link below ``prefix``; links are not followed. Raises OSError.

    What goes away meanwhile is not there: Python renames modules that it has just compiled.
    Only what is not ``known`` by its inode has no content in the answer.
    """
    found = _Found({})
    base = len(str(prefix)) + 1
    todo = [(str(prefix), False)]
    while todo:
        folder, compiled = todo.pop()
        for entry in _listed(folder, may_be_gone=len(folder) > base):
            if entry.is_dir(follow_symlinks=False):
                todo.append((entry.path, compiled or entry.name == _WRITTEN_BY_PYTHON))
                continue
            if (same := known.get(entry.inode())) is not None:
                found.size += same[1]
                found.files += 1
                if not compiled:
                    found.entries[entry.path[base:]] = same
                continue
            try:
                facts = entry.stat(follow_symlinks=False)
                seen = None if compiled else _entry(entry, facts)
            except FileNotFoundError:
                continue
            found.size += facts.st_size
            found.files += 1
            if seen is not None:
                found.entries[entry.path[base:]] = seen
    return found


def _listed(folder: str, *, may_be_gone: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        if may_be_gone:
            return []
        raise


def _entry(entry: os.DirEntry[str], facts: os.stat_result) -> Entry:
    if entry.is_symlink():
        return (0, 0, 0, _LINK + os.readlink(entry.path))  # noqa: PTH115 - many, a path each is slow
    if not stat.S_ISREG(facts.st_mode):
        return (facts.st_mode, 0, 0, f"{_LINK}special")  # a pipe, a socket, a device
    return (stat.S_IMODE(facts.st_mode), facts.st_size, facts.st_mtime_ns, "")


def _noted_hashes(prefix: Path) -> dict[str, tuple[str, int]]:
    """SHA-256 and size of files as the installer noted them (``paths_data`` of conda-meta).

    A file into which the prefix was written has another content than its package: only
    ``sha256_in_prefix`` counts there, whose size is not noted.
    """
    noted = {}
    for record in (prefix / "conda-meta").glob("*.json"):
        paths = json.loads(record.read_bytes()).get("paths_data", {}).get("paths", ())
        for item in paths:
            digest, size = item.get("sha256"), item.get("size_in_bytes")
            if digest and size is not None and not item.get("prefix_placeholder"):
                noted[item["_path"]] = (digest, size)
    return noted


def _hash_all(prefix: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """SHA-256 of files; a file that goes away or cannot be read has none (empty text)."""
    if not names:
        return
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        yield from zip(names, pool.map(lambda name: _hash(prefix / name), names), strict=True)


def _hash(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.EACCES):
            return ""
        raise
    with os.fdopen(handle, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(entries: Mapping[str, Entry]) -> str:
    whole = hashlib.sha256()
    for name in sorted(entries):
        if not name.startswith(_RECORDS):
            mode, _, _, content = entries[name]
            line = f"{name}\0{'x' if mode & _RUN_BY else '-'}\0{content}\n"
            whole.update(line.encode("utf-8", "surrogateescape"))
    return f"sha256:{whole.hexdigest()}"
