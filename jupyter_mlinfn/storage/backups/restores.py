"""Restores that run in the background of a server, a few at once, each in a thread."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from typing import Final

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, NotFound
from jupyter_mlinfn.model.quantities import show_count
from jupyter_mlinfn.model.storage import RestoreRequest, RestoreTask
from jupyter_mlinfn.storage.backups.restoring import Cancelled, Progress, Restored, restore
from jupyter_mlinfn.storage.descent import parts_of, shown

_AT_ONCE: Final = 3
_TOLD_FOR: Final = timedelta(hours=1)


@dataclass
class _Task:
    """One restore. ``task`` is what was told last; ``progress`` is ahead of it while it runs."""

    task: RestoreTask
    stop: Event = field(default_factory=Event)
    progress: Progress = field(default_factory=Progress)
    ended_at: datetime | None = None

    def now(self) -> RestoreTask:
        """The task with what is copied so far."""
        done = self.progress
        told = {"files": done.files, "size": done.size, "missed": done.missed}
        return self.task.model_copy(update=told)


class Restores:
    """The restores of this process. All methods may be called from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tasks: dict[str, _Task] = {}

    def start(self, area: Area, asked: RestoreRequest) -> RestoreTask:
        """Begin a restore. Raises :class:`InputError` and :class:`Conflict` (``busy``)."""
        begun = _begun(area, asked)
        made = _Task(begun)
        made.progress.stop = made.stop.is_set
        with self._lock:
            self._forget()
            running = [one for one in self._tasks.values() if one.task.state == "running"]
            if len(running) >= _AT_ONCE:
                text = f"{_AT_ONCE} restores are running. Let one end first."
                raise Conflict(text, code="busy")
            self._tasks[begun.id] = made
        thread = Thread(
            target=self._run, args=(made, area, asked), name="mlinfn-restore", daemon=True
        )
        thread.start()
        return begun

    def read(self, identifier: str) -> RestoreTask:
        """How far it is, or how it ended. Raises :class:`NotFound` (``no-such-task``)."""
        return self._get(identifier).now()

    def cancel(self, identifier: str) -> RestoreTask:
        """Ask it to stop; one that has ended stays as it is. Raises :class:`NotFound`."""
        found = self._get(identifier)
        found.stop.set()
        return found.now()

    def stop(self) -> None:
        """Ask all to stop: the server ends. What they had begun is taken away."""
        for one in list(self._tasks.values()):
            one.stop.set()

    def _get(self, identifier: str) -> _Task:
        found = self._tasks.get(identifier)
        if found is None:
            raise NotFound("This restore is not known any more.", code="no-such-task")
        return found

    def _forget(self) -> None:
        now = datetime.now(UTC)
        for identifier, one in list(self._tasks.items()):
            if one.ended_at is not None and now - one.ended_at > _TOLD_FOR:
                del self._tasks[identifier]

    def _run(self, made: _Task, area: Area, asked: RestoreRequest) -> None:
        try:
            done = restore(area, asked, made.task.id, made.progress)
            told = _told(made.task.name, done, made.progress)
        except Cancelled:
            text = f"Stopped. {made.task.name} was not restored and nothing was changed."
            told = {"state": "cancelled", "text": text}
        except MlinfnError as error:
            told = {"state": "failed", "text": error.text, "code": error.code}
        except Exception:
            text = "Something went wrong in the server. Nothing was put in its place."
            told = {"state": "failed", "text": text, "code": "internal"}
            self._ended(made, told)
            raise
        self._ended(made, told)

    def _ended(self, made: _Task, told: dict[str, str | None]) -> None:
        made.task = made.now().model_copy(update=told)
        made.ended_at = datetime.now(UTC)


def restored_now(area: Area, asked: RestoreRequest) -> RestoreTask:
    """Restore in this thread; raises as :func:`~.restoring.restore`."""
    begun, progress = _begun(area, asked), Progress()
    done = restore(area, asked, begun.id, progress)
    counts = {"files": progress.files, "size": progress.size, "missed": progress.missed}
    return begun.model_copy(update={**counts, **_told(begun.name, done, progress)})


def _begun(area: Area, asked: RestoreRequest) -> RestoreTask:
    parts = parts_of(asked.path)
    return RestoreTask(
        id=secrets.token_hex(8),
        area=area.name,
        name=shown(parts[-1]) if parts else area.title,
        state="running",
        started_at=datetime.now(UTC),
    )


def _told(name: str, done: Restored, progress: Progress) -> dict[str, str | None]:
    text = words_of(name, done, progress)
    return {"state": "done", "text": text, "result": done.result, "trash": done.trash}


def words_of(name: str, done: Restored, progress: Progress) -> str:
    """The sentence that says what is different now."""
    text = f"{name} is back as '{done.result}' ({show_count(progress.files, 'file')})."
    if done.trash:
        text += f" What was there before is kept in '{done.trash}'."
    if progress.missed:
        text += f" {show_count(progress.missed, 'name')} could not be read and stayed behind."
    return text
