"""Putting an attempt's results where the person looks for them: all of them, once.

Everything is copied into ``<output folder>.part`` and renamed; a folder that has its final name is
complete and is never touched again. A supervisor that dies in between leaves a ``.part`` that the
next one throws away.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.process.durable import sync_folder

_MAX_MATCHES = 100_000
_LONGEST_NAME = 200
_NAMED = 5


class NoSpaceError(OSError):
    """The disk of the output folder is full; nothing was published."""


def publish(folder: AttemptFolder, spec: dict[str, Any], started: float) -> str | None:
    """Publish the notebook, the log of a script and the outputs; the path to show, or ``None``.

    ``started`` (seconds since the epoch): files in the working folder that match the spec's
    ``outputs`` count only when they are younger. Raises :class:`NoSpaceError`, and OSError where
    the output folder cannot be written.
    """
    found = list(_results(folder, spec, started))
    if not found:
        return None
    target = Path(spec["output_folder"])
    shown = target / found[0][1] if found[0][0] == folder.notebook else target
    put(found, target, {folder.notebook, folder.log})
    if folder.travelled:
        _note_what_stays(folder, target)
    return str(shown)


def put(
    found: Sequence[tuple[Path, str]], target: Path, private: Collection[Path] = frozenset()
) -> None:
    """Copy files and folders into the folder ``target`` under these names, all or none.

    A ``target`` that is there is complete and stays. ``private`` ones get the rights of new files.
    Raises :class:`NoSpaceError` and OSError.
    """
    if target.exists():
        return
    try:
        _publish(found, target, private)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpaceError(error.errno, error.strerror, str(target)) from error
        raise


def _publish(found: Sequence[tuple[Path, str]], target: Path, private: Collection[Path]) -> None:
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for source, name in found:
            _copy(source, part / name)
            if source in private:
                _open_up(part / name)
        sync_folder(part)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(target.parent)


def _note_what_stays(folder: AttemptFolder, target: Path) -> None:
    """Say which links do not come home: what they lead to is not among the results."""
    from jupyter_mlinfn.jobs.travel.archive import stays_inside

    out = [path for path in target.rglob("*") if path.is_symlink()]
    names = [str(path.relative_to(target)) for path in out if not stays_inside(path, target)]
    if names:
        shown = ", ".join(names[:_NAMED])
        folder.event("note", text=f"Links that lead out of the results stay where it ran: {shown}")


def _open_up(path: Path) -> None:
    """Give what was private to the job the rights that the person's new files have."""
    mask = os.umask(0o077)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def _results(
    folder: AttemptFolder, spec: dict[str, Any], started: float
) -> Iterator[tuple[Path, str]]:
    """Files to publish with their names in the output folder; the first is the one to show."""
    source = Path(spec["source"])
    if folder.notebook.exists():
        name = source.name if source.suffix == ".ipynb" else f"{_short(spec['name'])}.ipynb"
        yield folder.notebook, name.replace("/", "-")
    elif spec["kind"] in ("script", "command") and folder.log.exists():
        yield folder.log, f"{source.stem or 'job'}.log"
    taken: set[str] = set()
    for entry in sorted(folder.outputs.iterdir()) if folder.outputs.is_dir() else ():
        taken.add(entry.name)
        yield entry, entry.name
    for path, name in _asked_for(folder, spec, started):
        if name.split("/")[0] not in taken:
            yield path, name


def _short(name: str) -> str:
    """As much of a job's name as the name of a file may hold (255 bytes with what follows)."""
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def _asked_for(
    folder: AttemptFolder, spec: dict[str, Any], started: float
) -> Iterator[tuple[Path, str]]:
    """What matches the spec's ``outputs`` below the folder the job worked in."""
    work = Path(spec["workdir"])
    base = (work if work.is_dir() else folder.bundle).resolve()
    seen: set[Path] = set()
    for pattern in spec.get("outputs", ()):
        if not pattern or pattern.startswith("/") or ".." in Path(pattern).parts:
            continue  # the submission refuses these; a job.json edited by hand gets nowhere
        for path in base.glob(pattern):
            inside = os.path.commonpath([base, os.path.realpath(path)]) == str(base)
            young = path.is_file() and path.stat().st_mtime >= started - 1
            if inside and young and path not in seen and len(seen) < _MAX_MATCHES:
                seen.add(path)
                yield path, str(path.relative_to(base))


def _copy(source: Path, target: Path) -> None:
    """Copy a file durably, or a folder with the links in it as links; pipes and such stay behind.

    Not by ``shutil.copytree``: it goes on after an error, and hides that the disk was full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir(exist_ok=True)
        for entry in source.iterdir():
            _copy(entry, target / entry.name)
        shutil.copystat(source, target)
    elif source.is_file():
        shutil.copy2(source, target, follow_symlinks=False)
        with target.open("rb") as copied:
            os.fsync(copied.fileno())
