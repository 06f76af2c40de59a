"""News of a job that runs where nobody here can look: what is small enough to bring often.

Files that only grow are brought by their new ends, small ones as a whole, the partial notebook
when it is another. An end never comes as news: :func:`~.home.take` brings it, with all else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.travel.archive import open_regular
from jupyter_mlinfn.jobs.travel.giving import attempts
from jupyter_mlinfn.jobs.travel.home import locked
from jupyter_mlinfn.process.durable import write_atomically

SMALL: Final = (
    *("claim.json", "supervisor.json", "runner.json", "begun", "hooks", "live.json"),
    *("stopping.json", "returned.json", "node.json"),
)
"""Brought as a whole, every time."""

GROWING: Final = ("events.jsonl", "values.jsonl", "log.txt")
"""Brought from where the last news ended."""

NOTEBOOK: Final = "notebook.ipynb"
"""Brought when it was written again since, and is not too large."""

_SMALL_BYTES: Final = 64 * 2**10
_NEW_BYTES: Final = 2**20
_NOTEBOOK_BYTES: Final = 4 * 2**20


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class FileNews(_Told):
    """One file: its content from byte ``start`` on, and when it was written (nanoseconds)."""

    name: str
    content: bytes
    mtime_ns: int
    start: int = Field(default=0, ge=0)


class AttemptNews(_Told):
    """One attempt; of one that has ended only that is told."""

    number: int = Field(ge=1)
    point: int | None = None
    ended: bool = False
    files: tuple[FileNews, ...] = ()


class JobNews(_Told):
    """All attempts of a job; ``gone``: its folder is not there."""

    gone: bool = False
    attempts: tuple[AttemptNews, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all contents."""
        return sum(len(file.content) for one in self.attempts for file in one.files)


def known(job_folder: Path, points: Collection[int] | None = None) -> dict[str, int]:
    """What is at home already: of growing files their size, of the notebook when it was written.

    ``points``: of these alone.
    """
    found = {}
    for one in attempts(job_folder, points):
        if one.end.exists():
            continue
        where = one.path.relative_to(job_folder).as_posix()
        for name in (*GROWING, NOTEBOOK):
            try:
                facts = (one.path / name).stat()
            except OSError:
                continue
            found[f"{where}/{name}"] = facts.st_mtime_ns if name == NOTEBOOK else facts.st_size
    return found


def gather(
    folder: Path,
    told: Mapping[str, int],
    *,
    most: int = 2**24,
    points: Collection[int] | None = None,
    closely: Collection[int] = (),
) -> JobNews:
    """The news of the job in ``folder``, on the far side; ``told`` is what :func:`known` said.

    ``most``: bytes of what is not small; the rest comes with the next news. ``points``: of these
    alone, and of those not looked at ``closely`` only which attempts there are.
    """
    if not folder.is_dir():
        return JobNews(gone=True)
    found = []
    for one in attempts(folder, points):
        files: tuple[FileNews, ...] = ()
        if not one.end.exists() and (points is None or one.point in closely):
            files = tuple(_files(one, one.path.relative_to(folder).as_posix(), told, most))
            most -= sum(len(file.content) for file in files)
        found.append(
            AttemptNews(
                number=int(one.path.name), point=one.point, ended=one.end.exists(), files=files
            )
        )
    return JobNews(attempts=tuple(found))


def merge(job_folder: Path, news: JobNews) -> None:
    """Write the news into the job's folder; what has ended here stays as it is.

    Raises :class:`Unavailable` (``travel-busy``) while somebody else brings the job home,
    :class:`NotFound` and OSError.
    """
    with locked(job_folder):
        for one in news.attempts:
            home = job_folder if one.point is None else job_folder / "points" / str(one.point)
            folder = AttemptFolder(home / "attempts" / str(one.number))
            if folder.end.exists() or not one.files:
                continue
            folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for file in one.files:
                _write(folder.path, file)


def _files(
    one: AttemptFolder, where: str, told: Mapping[str, int], most: int
) -> Iterator[FileNews]:
    for name in SMALL:
        if (file := _read(one.path / name, 0, _SMALL_BYTES)) is not None:
            yield file
    for name in GROWING:
        begin = told.get(f"{where}/{name}", 0)
        file = _read(one.path / name, begin, min(_NEW_BYTES, max(0, most)))
        if file is not None and file.content:
            most -= len(file.content)
            yield file
    file = _read(one.path / NOTEBOOK, 0, _NOTEBOOK_BYTES + 1)
    small = file is not None and len(file.content) <= min(_NOTEBOOK_BYTES, max(0, most))
    if file is not None and small and file.mtime_ns != told.get(f"{where}/{NOTEBOOK}"):
        yield file


def _read(path: Path, start: int, most: int) -> FileNews | None:
    """A part of a file; the whole of one that is shorter than what was told of it."""
    try:
        with open_regular(path) as stream:
            facts = os.fstat(stream.fileno())
            start = start if 0 <= start <= facts.st_size else 0
            stream.seek(start)
            content = stream.read(most)
    except OSError:
        return None  # not there yet, or being replaced at this moment: it comes with the next news
    return FileNews(name=path.name, content=content, mtime_ns=facts.st_mtime_ns, start=start)


def _write(folder: Path, file: FileNews) -> None:
    path = folder / file.name
    if file.name in GROWING:
        _extend(path, file)
    elif file.name in (*SMALL, NOTEBOOK):
        write_atomically(path, file.content)
    else:
        return  # a newer program there may tell of more than this one knows
    # a clock that goes ahead there must not make a heartbeat of tomorrow
    moment = max(0, min(file.mtime_ns, 2**63 - 1 if file.name == NOTEBOOK else time.time_ns()))
    os.utime(path, ns=(moment, moment))


def _extend(path: Path, file: FileNews) -> None:
    """Append what is new; what was brought by somebody else meanwhile is not brought twice."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if file.start not in (0, size):
            return
        stream.seek(file.start)
        stream.write(file.content)
        if file.start == 0:
            stream.truncate()
