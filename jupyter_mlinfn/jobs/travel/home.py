"""Taking attempts home: merged into the job's folder, published once, the end last.

It may be killed at any moment and done again: nothing an attempt has ended with is written twice,
and what arrives is unpacked beside the attempts before the first of their files is replaced.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final

from jupyter_mlinfn.jobs.alone import alone
from jupyter_mlinfn.jobs.attempt import POINTS, PUBLISHED, TRAVEL, AttemptFolder, read_json
from jupyter_mlinfn.jobs.supervisor.farewell import after_the_end
from jupyter_mlinfn.jobs.supervisor.publishing import NoSpaceError, put
from jupyter_mlinfn.jobs.travel import archive
from jupyter_mlinfn.jobs.travel.archive import Limits, bad
from jupyter_mlinfn.jobs.travel.giving import END, LOG, NUMBER, POINT, TAKEN, attempts, give
from jupyter_mlinfn.model.errors import NotFound, Unavailable
from jupyter_mlinfn.process.durable import sync_folder, write_durably

ARRIVING: Final = "arriving"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_FOLDERS: Final = frozenset({PUBLISHED, "outputs"})


def take(
    job_folder: Path, source: BinaryIO | Path, *, limits: Limits | None = None
) -> frozenset[int | None]:
    """Merge what came back into the job's folder, and publish what an ended attempt made.

    Answers of which points attempts came; ``None`` stands for the job itself.

    ``source``: the tar that :func:`~.giving.give` wrote, open or a file; or a far job folder that
    came as a folder. Raises :class:`Refused` (``bad-parcel``) for what is not this job's or must
    not be unpacked, :class:`Unavailable` (``travel-busy``, ``disk-full``) when it has to be done
    again, :class:`NotFound` when the job's folder is gone, and OSError.
    """
    with locked(job_folder), _room(job_folder):
        arriving = job_folder / ARRIVING
        shutil.rmtree(arriving, ignore_errors=True)
        arriving.mkdir(mode=0o700)
        try:
            with _opened(source) as stream:
                archive.unpack(stream, arriving, _wanted, limits)
            _check_whose(arriving, job_folder)
            return _merge_all(arriving, job_folder)
        finally:
            shutil.rmtree(arriving, ignore_errors=True)


def locked(job_folder: Path) -> AbstractContextManager[None]:
    """Nobody else brings this job home meanwhile. Raises :class:`Unavailable`
    (``travel-busy``), :class:`NotFound`."""
    busy = "The job is being brought home."
    return alone(job_folder, "travel.lock", busy, code="travel-busy")


@contextmanager
def _room(job_folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise Unavailable(
            f"The disk of {error.filename or job_folder} is full, so the results cannot come "
            "home. They are kept where the job ran. Free some space: they come by themselves.",
            code="disk-full",
        ) from error


@contextmanager
def _opened(source: BinaryIO | Path) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        yield source
    elif source.is_dir():
        with TemporaryFile() as between:
            give(source, between)
            between.seek(0)
            yield between
    else:
        with source.open("rb") as stream:
            yield stream


def _wanted(parts: tuple[str, ...]) -> bool:
    """What may come home; all else is passed over."""
    if parts[0] == POINTS:
        if len(parts) < 2 or not POINT.fullmatch(parts[1]):
            return False
        parts = parts[2:] or ("attempts",)
    if len(parts) == 1:
        top = parts[0]
        return top in ("attempts", "checkpoints", TRAVEL) or LOG.fullmatch(top) is not None
    if parts[0] == "checkpoints":
        return True
    if parts[0] != "attempts" or not NUMBER.fullmatch(parts[1]):
        return False
    return len(parts) == 2 or parts[2] in (_FOLDERS if len(parts) > 3 else _FOLDERS | TAKEN)


def _check_whose(arriving: Path, job_folder: Path) -> None:
    spec = read_json(job_folder / "job.json")
    if spec is None:
        text = f"The folder of job {job_folder.name} is gone or damaged."
        raise NotFound(text, code="job-not-found")
    if (read_json(arriving / TRAVEL) or {}).get("token") != spec["token"]:
        raise bad("it is not of this job")


def _merge_all(arriving: Path, job_folder: Path) -> frozenset[int | None]:
    for path in sorted(arriving.glob("*.log")):
        _replace(path, job_folder / path.name)
    for checkpoints in sorted([*arriving.glob("checkpoints"), *arriving.glob("*/*/checkpoints")]):
        _merge_checkpoints(checkpoints, job_folder / checkpoints.relative_to(arriving))
    came = set()
    for there in attempts(arriving):
        _merge(there.path, AttemptFolder(job_folder / there.path.relative_to(arriving)))
        came.add(there.point)
    return frozenset(came)


def _merge_checkpoints(there: Path, here: Path) -> None:
    here.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(there.iterdir()):
        _replace(path, here / path.name)
    sync_folder(here)


def _merge(there: Path, folder: AttemptFolder) -> None:
    """One attempt; nothing of one whose end is here already."""
    if folder.end.exists():
        shutil.rmtree(folder.path / PUBLISHED, ignore_errors=True)
        return
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(there.iterdir()):
        if path.name != END:
            _replace(path, folder.path / path.name)
    end = read_json(there / END)
    if end is not None:
        output = _published(folder, end)
        sync_folder(folder.path)
        write_durably(folder.end, json.dumps({**end, "output": output}, indent=1))
        shutil.rmtree(folder.path / PUBLISHED, ignore_errors=True)
        after_the_end(folder)


def _replace(source: Path, target: Path) -> None:
    """Give what arrived its name; of a folder that was there before nothing stays."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    elif source.is_dir():
        target.unlink(missing_ok=True)
    source.replace(target)


def _published(folder: AttemptFolder, end: dict[str, Any]) -> str | None:
    """Publish what the attempt made; the path to show.

    What cannot be put there stays in the attempt's folder, and the job's events say so. Raises
    :class:`NoSpaceError` when the disk is full: the far side still has it all.
    """
    there = folder.path / PUBLISHED
    name = _told_name(folder, end)
    if not there.is_dir():
        return str(folder.path / name) if name and (folder.path / name).exists() else None
    target = Path(folder.spec()["output_folder"])
    try:
        put([(path, path.name) for path in sorted(there.iterdir())], target)
    except NoSpaceError:
        raise
    except OSError as error:
        _replace(there, folder.outputs)
        text = f"The results could not be put into the output folder ({error}). They were kept here"
        folder.event("note", text=f"{text}: {folder.outputs}")
        return str(folder.outputs)
    inner = name.removeprefix(PUBLISHED).lstrip("/")
    return str(target / inner if inner and (target / inner).exists() else target)


def _told_name(folder: AttemptFolder, end: dict[str, Any]) -> str:
    """The far path to show, from the attempt's folder on; empty when it is none of there."""
    told, mark = str(end.get("output") or ""), f"/attempts/{folder.path.name}/"
    _before, found, name = told.rpartition(mark)
    safe = found and ".." not in name.split("/") and not name.startswith("/")
    return name if safe else ""
