"""Restores that outlive the server that began them: each is a program of its own, a few at once.

A restore is a folder below ``restores/`` of the person's data folder: ``assignment.json`` (what is
to be brought back), ``task.json`` (how far it is, or how it ended), ``cancel`` (somebody asked to
stop) and ``lock``, which the program holds from its first moment to its last. So any server of the
person, also one that starts later, tells how it goes and can stop it. One that was killed is told
as such and not begun again: nobody knows whether what it brought has its name already.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Final

from pydantic import ValidationError

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import Conflict, NotFound, Unavailable
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.model.storage import RestoreRequest, RestoreTask
from jupyter_mlinfn.process.detach import own_program, start_detached
from jupyter_mlinfn.process.durable import write_atomically
from jupyter_mlinfn.process.locks import acquire, held
from jupyter_mlinfn.storage.backups.restoring import Progress, restore
from jupyter_mlinfn.storage.backups.words import told
from jupyter_mlinfn.storage.descent import parts_of, shown

ASSIGNMENT: Final = "assignment.json"
TASK: Final = "task.json"
CANCEL: Final = "cancel"
LOCK: Final = "lock"
LOG: Final = "log"
_AT_ONCE: Final = 3
_TOLD_FOR: Final = timedelta(hours=24)
_ID: Final = re.compile("[0-9a-f]{16}")
_INHERITED: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")


class Assignment(Frozen):
    """What a restore is to do; ``task`` is what is told of it before it tells anything itself."""

    task: RestoreTask
    area: Area
    asked: RestoreRequest


class Restores:
    """The restores of one person. ``folder`` is theirs; all methods may be called from several
    threads, and block for some small files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()

    def start(self, area: Area, asked: RestoreRequest) -> RestoreTask:
        """Begin a restore. Raises :class:`InputError`, :class:`Conflict` (``busy``) and
        :class:`Unavailable` (``restore-failed``) where no program can be started."""
        with self._lock:
            self._forget()
            if sum(held(place / LOCK) for place in self._places()) >= _AT_ONCE:
                text = f"{_AT_ONCE} restores are running. Let one end first."
                raise Conflict(text, code="busy")
            begun = self.write_down(area, asked)
            self._run(self.place(begun.id))
        return begun

    def write_down(self, area: Area, asked: RestoreRequest) -> RestoreTask:
        """Make the folder of a restore that a program then carries out."""
        begun = _begun(area, asked)
        place = self._folder / begun.id
        place.mkdir(mode=0o700, parents=True)
        assignment = Assignment(task=begun, area=area, asked=asked)
        write_atomically(place / ASSIGNMENT, assignment.model_dump_json())
        return begun

    def read(self, identifier: str) -> RestoreTask:
        """How far it is, or how it ended. Raises :class:`NotFound` (``no-such-task``)."""
        place = self.place(identifier)
        # looked at in this order: a program tells its end before it lets go of its lock
        runs = held(place / LOCK)
        task = _task(place)
        return task if runs or task.state != "running" else _ended_untold(task)

    def list(self) -> tuple[RestoreTask, ...]:
        """Those that run, and those that ended within the last day; newest first."""
        found: list[RestoreTask] = []
        places: list[Path] = []
        with suppress(OSError):  # a data folder that cannot be read must not hide the areas
            places.extend(self._places())
        for place in places:
            # one of another version is none of ours to tell, and one may be forgotten just now
            with suppress(NotFound, OSError, ValidationError):
                if held(place / LOCK) or _changed(place) >= datetime.now(UTC) - _TOLD_FOR:
                    found.append(self.read(place.name))
        return tuple(sorted(found, key=lambda task: task.started_at, reverse=True))

    def cancel(self, identifier: str) -> RestoreTask:
        """Ask it to stop; one that has ended stays as it is. Raises :class:`NotFound`."""
        (self.place(identifier) / CANCEL).touch(mode=0o600)
        return self.read(identifier)

    def place(self, identifier: str) -> Path:
        """The folder of a restore. Raises :class:`NotFound` (``no-such-task``)."""
        place = self._folder / identifier
        if not _ID.fullmatch(identifier) or not (place / ASSIGNMENT).is_file():
            raise NotFound("This restore is not known any more.", code="no-such-task")
        return place

    def _run(self, place: Path) -> None:
        program = own_program("jupyter_mlinfn.storage.backups.worker", str(place))
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        lock = acquire(place / LOCK)
        if lock is None:
            raise Conflict("This restore is running already.", code="busy")
        try:
            start_detached(program, env=environment, cwd=place, log=place / LOG, pass_fds=(lock,))
        except OSError as error:
            text = f"The restore was not begun: {error.strerror or error}. Nothing was changed."
            raise Unavailable(text, code="restore-failed") from error
        finally:
            os.close(lock)

    def _places(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from (one for one in self._folder.iterdir() if _ID.fullmatch(one.name))

    def _forget(self) -> None:
        """Remove what was told for long enough."""
        old = datetime.now(UTC) - _TOLD_FOR
        for place in self._places():
            with suppress(OSError):  # it costs some kilobytes, no more
                if _changed(place) < old and not held(place / LOCK):
                    for one in place.iterdir():
                        one.unlink()
                    place.rmdir()


def restored_now(area: Area, asked: RestoreRequest) -> RestoreTask:
    """Restore in this thread; raises as :func:`~.restoring.restore`."""
    begun, progress = _begun(area, asked), Progress()
    done = restore(area, asked, begun.id, progress)
    return begun.model_copy(update=told(begun.name, done, progress))


def _begun(area: Area, asked: RestoreRequest) -> RestoreTask:
    parts = parts_of(asked.path)
    return RestoreTask(
        id=secrets.token_hex(8),
        area=area.name,
        name=shown(parts[-1]) if parts else area.title,
        state="running",
        started_at=datetime.now(UTC),
    )


def _changed(place: Path) -> datetime:
    return datetime.fromtimestamp(place.stat().st_mtime, UTC)


def _task(place: Path) -> RestoreTask:
    try:
        return RestoreTask.model_validate_json((place / TASK).read_bytes())
    except FileNotFoundError:
        return Assignment.model_validate_json((place / ASSIGNMENT).read_bytes()).task


def _ended_untold(task: RestoreTask) -> RestoreTask:
    text = (
        f"The program that restored {task.name} was ended from outside. Look whether it is back; "
        "what was there is in its place or in the trash. If it is not, restore it again."
    )
    return task.model_copy(update={"state": "failed", "text": text, "code": "ended-from-outside"})
