"""Reading what colleagues share: nothing in it is believed, followed or waited for.

Every name is opened part by part from the run's folder on, without following a link. What is looked
at is copied first, within limits and against the hashes that were told, into a folder of one's own;
from there on it is read like a job of one's own. Whose it is, the file system says.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import JsonValue, ValidationError

from jupyter_mlinfn.jobs.sharing import points as sweep
from jupyter_mlinfn.jobs.sharing.areas import owner_name
from jupyter_mlinfn.jobs.sharing.giving import NOTE, OUTPUTS
from jupyter_mlinfn.model.errors import MlinfnError, NotFound, Problem, Refused
from jupyter_mlinfn.model.jobs import ENDED, JOB_ID
from jupyter_mlinfn.model.quantities import show_memory
from jupyter_mlinfn.model.sharing import (
    ShareArea,
    SharedDetails,
    SharedFile,
    SharedJob,
    SharedJobs,
    SharedNote,
)

LARGEST_NOTE: Final = 16 * 2**20
LARGEST: Final = 64 * 2**20
"""Bytes of one file that is copied to be looked at."""
MOST: Final = 256 * 2**20
"""Bytes of all of them."""
MOST_SHARED: Final = 2000
"""So many shared runs of one area are listed."""

_KEPT: Final = 20
_DEEPEST: Final = 32
_PIECE: Final = 2**20


@dataclass(frozen=True)
class Found:
    """One shared run: its folder, whose it is, and what is told of it."""

    area: ShareArea
    path: Path
    uid: int
    note: SharedNote

    @property
    def shown(self) -> SharedJob:
        """One line of a list."""
        job = self.note.details.job
        return SharedJob(
            id=job.id,
            name=job.name,
            area=self.area.name,
            path=str(self.path),
            owner=owner_name(self.uid),
            mine=self.uid == os.geteuid(),
            shared_at=self.note.shared_at,
            state=job.state,
            parameters={name: _short(value) for name, value in job.parameters.items()},
            environment=job.environment,
            submitted_at=job.submitted_at,
            ended_at=job.ended_at,
            usage=job.usage,
            size=sum(file.size for file in self.note.files),
            sweep=job.sweep,
        )


def listed(known: Iterable[ShareArea]) -> SharedJobs:
    """All that is shared in the areas, newest first; one that is bad spoils no other."""
    known, jobs, problems = tuple(known), [], []
    for area in known:
        try:
            names = _names(area)
        except OSError as error:
            text = f"{area.path} cannot be read: {error.strerror}."
            problems.append(Problem(code="folder", text=text))
            continue
        for name in sorted(names)[:MOST_SHARED]:
            try:
                jobs.append(read_note(area, name).shown)
            except MlinfnError as error:
                problems += error.problems
    jobs.sort(key=lambda one: one.shared_at, reverse=True)
    return SharedJobs(jobs=tuple(jobs), areas=known, problems=tuple(problems))


def find(known: Iterable[ShareArea], text: str) -> Found:
    """The shared run of an id or the beginning of it, or ``AREA/ID``.

    Raises :class:`NotFound` (``no-such-shared-job``), :class:`Refused` (``shared-damaged``, and
    ``ambiguous`` for one that is in several areas or a beginning that fits several).
    """
    area, _, job = text.rpartition("/")
    fits = []
    for one in known:
        if area in ("", one.name) and job.isalnum():
            with suppress(OSError):
                fits += [(one, name) for name in _names(one) if name.startswith(job)]
    if not fits:
        text = f"Nothing is shared with you that is called {text[:80]!r}."
        raise NotFound(text, code="no-such-shared-job", field="id")
    if len(fits) > 1:
        names = ", ".join(f"{one.name}/{name}" for one, name in fits[:5])
        raise Refused(f"Several shared jobs fit: {names}. Say which.", code="ambiguous")
    return read_note(*fits[0])


def read_note(area: ShareArea, job: str) -> Found:
    """What is told of one shared run. Raises :class:`NotFound`, :class:`Refused`
    (``shared-damaged``)."""
    path = Path(area.path, job)
    with _opened(path) as (root, uid), _file(root, uid, (NOTE,), path) as stream:
        text = stream.read(LARGEST_NOTE + 1)
    if len(text) > LARGEST_NOTE:
        raise _bad(path, "what it tells of itself is too large")
    try:
        note = SharedNote.model_validate_json(text)
    except ValidationError as error:
        raise _bad(path, "what it tells of itself cannot be read") from error
    details = note.details
    if {details.job.id, details.spec.id} != {job} or details.job.state not in ENDED:
        raise _bad(path, "it says to be another job")
    named = [one.path for one in note.files]
    for name in (*named, *(one.path for one in details.spec.files if one.role == "module")):
        _parts(name, path)
    return Found(area, path, uid, note)


def details_of(found: Found) -> SharedDetails:
    """All of it, without a look at its other files."""
    files = found.note.files
    large = [one for one in files if _is_looked_at(one.path) and one.size > LARGEST]
    notes = tuple(
        f"{one.path} has {show_memory(one.size)} and is not shown here. It lies in {found.path}."
        for one in large
    )
    notes += tuple(_left_out(found.note))
    outputs = tuple(one for one in files if one.path.startswith(f"{OUTPUTS}/"))
    return SharedDetails(
        shared=found.shown, details=found.note.details, outputs=outputs, notes=notes
    )


def take(found: Found, kept: Path) -> Path:
    """A checked copy of what is looked at of a run, below ``kept``: the data folder of this one
    job, ``jobs/<id>`` in it. It is made once for each state of the run; old ones are removed.

    Raises :class:`Refused` (``shared-damaged``, ``shared-too-large``).
    """
    told = found.note.model_dump_json() + f"\n{found.uid} {found.path}"
    home = kept / hashlib.sha256(told.encode()).hexdigest()[:32]
    job = found.note.details.job.id
    if (home / "jobs" / job).is_dir():
        return home
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = kept / f".{home.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _copy_all(found, draft / "jobs" / job)
        with suppress(FileExistsError):  # somebody else of this person was faster
            draft.rename(home)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _forget(kept, home)
    return home


def _names(area: ShareArea) -> list[str]:
    return [one.name for one in Path(area.path).iterdir() if JOB_ID.fullmatch(one.name)]


def _copy_all(found: Found, target: Path) -> None:
    target.mkdir(mode=0o700, parents=True)
    # what it says of folders is never looked up here
    spec = found.note.details.spec.model_copy(update={"output_folder": str(target / OUTPUTS)})
    (target / "job.json").write_text(spec.model_dump_json(), encoding="utf-8")
    left = MOST
    with _opened(found.path) as (root, uid):
        if uid != found.uid:
            raise _bad(found.path, "it changed while it was read")
        for one in found.note.files:
            if not _is_looked_at(one.path) or one.size > LARGEST:
                continue
            left -= one.size
            if left < 0:
                raise Refused(
                    f"{found.path} has more than {show_memory(MOST)} to look at. Ask "
                    f"{owner_name(uid)} to share less, or look at it in a terminal.",
                    code="shared-too-large",
                )
            _copy(root, uid, one, found.path, target)
    try:
        sweep.check(target, found.note.details)
    except (FileNotFoundError, ValueError) as error:
        raise _bad(found.path, "its points cannot be read") from error


def _left_out(note: SharedNote) -> Iterator[str]:
    if note.without_outputs:
        yield "Its published files were too many to be shared."
    if note.without_logs:
        yield f"The logs of {note.without_logs:,} points were too much to be shared."


def _copy(root: int, uid: int, one: SharedFile, path: Path, target: Path) -> None:
    parts = _parts(one.path, path)
    copy = target.joinpath(*parts)
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), one.size
    try:
        with _file(root, uid, parts, path) as source, copy.open("xb") as written:
            while piece := source.read(min(_PIECE, left + 1)):
                left -= len(piece)
                if left < 0:
                    break
                digest.update(piece)
                written.write(piece)
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise _bad(path, f"{one.path} comes twice") from error
    if left or digest.hexdigest() != one.sha256:
        raise _bad(path, f"{one.path} is not what was shared")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[int, int]]:
    """The folder of a shared run, and its owner; never through a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        root = os.open(path, flags)
    except FileNotFoundError as error:
        text = "This job is not shared any more."
        raise NotFound(text, code="no-such-shared-job", field="id") from error
    except OSError as error:
        raise _bad(path, _why(error)) from error
    try:
        yield root, os.fstat(root).st_uid
    finally:
        os.close(root)


@contextmanager
def _file(root: int, uid: int, parts: tuple[str, ...], path: Path) -> Iterator[BufferedReader]:
    """A regular file below ``root`` of the same owner, each folder on the way opened as one."""
    name, held = "/".join(parts), []
    folder = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        at = root
        for part in parts[:-1]:
            at = os.open(part, folder, dir_fd=at)
            held.append(at)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        handle = os.open(parts[-1], flags, dir_fd=at)
    except OSError as error:
        raise _bad(path, f"{name}: {_why(error)}") from error
    finally:
        for one in held:
            os.close(one)
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != uid:
        os.close(handle)
        other = stat.S_ISREG(facts.st_mode)
        why = f"belongs to {owner_name(facts.st_uid)}" if other else "is no file"
        raise _bad(path, f"{name} {why}")
    with os.fdopen(handle, "rb") as stream:
        yield stream


def _parts(text: str, path: Path) -> tuple[str, ...]:
    parts = PurePosixPath(text).parts
    plain = "/".join(parts) == text and ".." not in parts and text.isprintable()
    if not plain or PurePosixPath(text).is_absolute() or len(parts) > _DEEPEST:
        raise _bad(path, f"it names a file {text[:80]!r}")
    return parts


def _is_looked_at(name: str) -> bool:
    return name.startswith(("bundle/", "attempts/", "points/")) or name in sweep.FILES


def _forget(kept: Path, home: Path) -> None:
    """Only some copies are kept; the newest are those that are looked at."""
    copies = [one for one in kept.iterdir() if one != home and not one.name.startswith(".")]
    copies.sort(key=lambda one: one.stat().st_mtime, reverse=True)
    for one in copies[_KEPT - 1 :]:
        shutil.rmtree(one, ignore_errors=True)


def _why(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "it is a link or no folder"
    return error.strerror or "it cannot be read"


def _bad(path: Path, why: str) -> Refused:
    return Refused(
        f"What is shared at {path} is damaged or not meant well: {why}. Nothing of it was used.",
        code="shared-damaged",
    )


def _short(value: JsonValue) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
