"""Own check of package files: rattler compares hashes over the network, but not of local files.

A package that is in the cache with the same SHA-256 was checked when it came there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rattler import RepoDataRecord

from jupyter_mlinfn.environments.engine.failures import wrong_hash
from jupyter_mlinfn.environments.engine.records import stem
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.model.errors import Refused, Unavailable

_THREADS = 2
_SHA256 = slice(8, 40)
"""Where rattler's ``<package>.lock`` in the cache holds the hash: after 8 bytes of revision."""


def check(records: Sequence[RepoDataRecord], cache: Path, reporter: Reporter) -> None:
    """Compare the files of local packages with the hashes of their records.

    Raises :class:`Refused` when one differs or has no hash at all, :class:`Unavailable` when one
    cannot be read.
    """
    for record in records:
        if record.sha256 is None and record.md5 is None:
            raise _unverifiable(record)
    local = [record for record in records if _path(record) and not is_cached(record, cache)]
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        for done, record in enumerate(pool.map(_check_one, local), start=1):
            name = record.name.normalized
            reporter.say("checking", name, done=done, total=len(local), unit="packages")


def is_cached(record: RepoDataRecord, cache: Path) -> bool:
    """Whether the very package of ``record`` is unpacked in the cache."""
    name = stem(record.file_name)
    try:
        noted = (cache / f"{name}.lock").read_bytes()[_SHA256]
    except OSError:
        return False
    return noted == record.sha256 and (cache / name / "info" / "index.json").is_file()


def download_size(records: Sequence[RepoDataRecord], cache: Path) -> int | None:
    """Bytes to be fetched; ``None`` when the size of one is not known."""
    total = 0
    for record in records:
        if is_cached(record, cache):
            continue
        path = _path(record)
        size = record.size
        if size is None and path is not None and path.is_file():
            size = path.stat().st_size
        if size is None:
            return None
        total += size
    return total


def _path(record: RepoDataRecord) -> Path | None:
    parts = urlsplit(record.url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _check_one(record: RepoDataRecord) -> RepoDataRecord:
    path = _path(record)
    assert path is not None, "only local packages are checked"
    algorithm = "sha256" if record.sha256 else "md5"
    expected = (record.sha256 or record.md5 or b"").hex()
    channel = record.url.rsplit("/", 2)[0]
    try:
        with path.open("rb") as file:
            got = hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise Unavailable(
            f"The package {path.name} of the channel {channel} cannot be read: "
            f"{error.strerror}. The environment is as it was before.",
            code="package-unreachable",
            hint="Look whether the channel still has it, then try again.",
        ) from error
    if got != expected:
        raise wrong_hash(path.name, channel, expected, got)
    return record


def _unverifiable(record: RepoDataRecord) -> Refused:
    return Refused(
        f"The package {record.file_name} has no hash in the channel {record.channel}: nobody "
        "could tell whether it is the right one. Nothing was changed.",
        code="no-hash",
        hint="Tell who keeps the channel to write its index anew.",
    )
