"""The one moment of change, and what comes before and after it.

Order: the staged prefix gets its final name, then the papers are written, then the record is
replaced. Whoever is killed before leaves an environment as it was (a prefix that no record names
is garbage); whoever is killed after has changed it. There is nothing between.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.papers import MANIFEST, write_papers
from jupyter_mlinfn.environments.engine.plans import Plan
from jupyter_mlinfn.environments.engine.unpacked import Seen
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.environments.own.layout import Place, short
from jupyter_mlinfn.environments.own.record import (
    EnvironmentRecord,
    HistoryEntry,
    read_record,
    write_record,
)
from jupyter_mlinfn.process.exchanging import exchange


@dataclass(frozen=True)
class Installed:
    """What lies in a prefix: bytes, files, and its Python's version."""

    size: int
    files: int
    python: str | None


def whole(place: Place, digest: str) -> Installed | None:
    """What is installed for ``digest``, if every file is as it was recorded."""
    try:
        recorded = manifest.read(place.papers(digest) / MANIFEST)
        if manifest.verify(place.prefix(digest), recorded):
            return None
    except (OSError, ValueError):
        return None
    return Installed(recorded.size, recorded.files, python_in(place.prefix(digest)))


def changed_by_hand(place: Place, digest: str, seen: Seen | None = None) -> str | None:
    """What is other in the prefix of ``digest`` than was installed, in words.

    Files of the cache that were just ``seen`` are not looked at again.
    """
    known = seen.files if seen is not None and seen.still_there() else {}
    try:
        recorded = manifest.read(place.papers(digest) / MANIFEST)
        found = manifest.verify(place.prefix(digest), recorded, known)
    except (OSError, ValueError):
        return None
    return manifest.describe(found) if found else None


def python_in(prefix: Path) -> str | None:
    """The version of the conda package ``python`` in ``prefix``."""
    for path in (prefix / "conda-meta").glob("python-[0-9]*.json"):
        return path.name.split("-")[1]
    return None


def put_in_place(place: Place, digest: str, staging: Path, listed: Path, task: str) -> None:
    """Give the staged prefix its name; ``listed`` is its manifest. Raises OSError.

    What lies there under that name (somebody changed its files) is kept beside it.
    """
    target = place.prefix(digest)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    if os.path.lexists(target):
        exchange(staging, target)
        staging.rename(target.with_name(f"{short(digest)}-replaced-{task}"))
    else:
        staging.rename(target)
    papers = place.papers(digest)
    papers.mkdir(mode=0o700, parents=True, exist_ok=True)
    listed.replace(papers / MANIFEST)


def record_change(
    assignment: Assignment, plan: Plan, lock: Lock, installed: Installed, said: str
) -> EnvironmentRecord:
    """Write the papers, replace the record, and let the link for people follow."""
    place, policy = assignment.place, assignment.policy
    digest = lock.digest(policy.platform)
    write_papers(place.papers(digest), lock, plan.wish, policy.platform)
    now = datetime.now(UTC)
    entry = HistoryEntry(
        digest=digest, at=now, action=plan.action, text=said, task=assignment.identifier
    )
    fields = {
        "digest": digest,
        "channels": lock.channels,
        "python": installed.python,
        "size": installed.size,
        "files": installed.files,
    }
    if place.record.exists():
        before = read_record(place)
        record = before.model_copy(update={**fields, "history": (*before.history, entry)})
    else:
        record = EnvironmentRecord(
            name=place.name,
            platform=policy.platform,
            made_by=policy.user,
            made_at=now,
            origin=plan.origin,
            history=(entry,),
            **fields,
        )
    write_record(place, record)
    with suppress(OSError):  # the change is made; this link is for people's eyes only
        _point(place.current, place.prefix(digest))
    return record


def _point(link: Path, target: Path) -> None:
    draft = link.with_name(".current.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(os.path.relpath(target, link.parent))
    draft.replace(link)
