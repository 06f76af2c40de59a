"""What a layer over an image has to hold, made with as little as possible.

The plain way installs the whole environment and compares it with the image, file by file. Most of
that would be installed for nothing: a package that both locks name was installed to the very same
files below. So where it is certain that the rest is the same, only the packages that differ are
installed (with Python, which compiles them); the list of the whole is that of the image without
what went, with what came. It is not certain, and all is installed, when pip's packages or Python
differ, or when two packages bring the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.image.below import Below, Differing, differing
from jupyter_mlinfn.environments.image.contents import CONTENTS, Contents, is_compiled, source_of
from jupyter_mlinfn.environments.image.pack import build
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own.layout import Layout


@dataclass(frozen=True)
class Upper:
    """The list of the whole environment; paths that are ``changed`` lie in ``prefix``."""

    prefix: Path
    whole: Contents
    changed: tuple[str, ...]
    gone: tuple[str, ...]


def make_upper(
    lock: Lock,
    platform: str,
    below: Below,
    layout: Layout,
    work: Path,
    reporter: Reporter,
    cancelled: Callable[[], bool],
) -> Upper:
    """Install what differs from ``below`` in ``work``. Raises what :func:`pack.build` raises."""
    change = differing(below.lock, lock, platform)
    went = _went(change, below, lock, platform)
    if went is not None:
        folder = work / "part"
        folder.mkdir()
        part = _part(change, lock, platform)
        made = build(part, platform, layout, folder, reporter, cancelled)
        if whole := joined(below.contents, went, made, lock.digest(platform)):
            upper = _upper(folder / "env", below, whole)
            if made.entries.keys() >= set(upper.changed):
                return upper
    whole = build(lock, platform, layout, work, reporter, cancelled)
    return _upper(work / "env", below, whole)


def _upper(prefix: Path, below: Below, whole: Contents) -> Upper:
    changed, gone = difference(below.contents, whole)
    return Upper(prefix, whole, tuple(changed), tuple(gone))


def _went(change: Differing, below: Below, lock: Lock, platform: str) -> set[str] | None:
    """The files of packages that are not there any more, or not the same; ``None`` where only
    installing the whole can tell.
    """
    differ = (*change.new, *change.old)
    if any(one.manager == "pip" or one.name == "python" for one in differ):
        return None
    packages = lock.of(platform)
    if not any(one.name == "python" for one in packages):
        return None
    if not change.old:
        return set()
    if any(one.manager == "pip" for one in packages):
        return None  # which files are pip's, no record of conda says
    listed = below.files_of()
    old = {one.name for one in change.old}
    if not old <= listed.keys():
        return None
    went = {path for name in old for path in listed[name]}
    kept = {path for name, files in listed.items() if name not in old for path in files}
    if went & kept:
        return None
    compiled = {
        path
        for path in below.contents.entries
        if is_compiled(path) and source_of(path) in went and path not in kept
    }
    return went | compiled


def _part(change: Differing, lock: Lock, platform: str) -> Lock:
    """What differs, with the Python that compiles it."""
    python = [p for p in lock.of(platform) if p.name == "python" and p.manager == "conda"]
    return Lock.made_of(lock.channels, (platform,), [*python, *change.new])


def joined(below: Contents, went: set[str], part: Contents, lock: str) -> Contents | None:
    """The list of the whole; ``None`` when a file of ``part`` would meet one of a package that
    stays: which of the two wins, only the installer knows.
    """
    if part.python != below.python or not went <= below.entries.keys():
        return None
    kept = {path: entry for path, entry in below.entries.items() if path not in went}
    folders = _folders(kept)
    for path, entry in part.entries.items():
        if path in folders or kept.get(path, entry) != entry:
            return None
    if any(folder in kept for folder in _folders(part.entries)):
        return None
    entries = dict(sorted({**kept, **part.entries}.items()))
    return Contents(lock=lock, python=below.python, entries=entries)


def difference(below: Contents, whole: Contents) -> tuple[list[str], list[str]]:
    """Files of ``whole`` that are new or other than below; and what is gone, whole folders by
    their name alone. Both sorted.
    """
    changed = [path for path in whole.entries if not _same(path, below, whole)]
    folders = _folders([*whole.entries, CONTENTS])
    gone: set[str] = set()
    for path in below.entries.keys() - whole.entries.keys():
        top, folder = path, path.rpartition("/")[0]
        while folder and folder not in folders:
            top, folder = folder, folder.rpartition("/")[0]
        if top not in whole.entries:
            gone.add(top)
    return sorted(changed), sorted(gone)


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder that one of the paths lies in."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _same(path: str, below: Contents, whole: Contents) -> bool:
    """Whether the image below has this very file. A compiled one is decided by its source."""
    before, after = below.entries.get(path), whole.entries[path]
    if before != after:
        return False
    if not is_compiled(path):
        return True
    now = whole.entries.get(source_of(path))
    before_too = below.entries.get(source_of(path))
    return below.python == whole.python and now is not None and before_too == now
