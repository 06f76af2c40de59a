"""All that is told of this session's areas, and done with them; every look has a deadline."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from jupyter_mlinfn.model.areas import Area, AreaUse
from jupyter_mlinfn.model.errors import MlinfnError, NotFound, Refused, Unavailable
from jupyter_mlinfn.model.storage import (
    AreaList,
    AreaNote,
    AreaState,
    BackupFolder,
    BackupList,
    DeletedFiles,
    NoteRequest,
    RestoreRequest,
    RestoreTask,
)
from jupyter_mlinfn.storage import notes
from jupyter_mlinfn.storage.areas import area_named
from jupyter_mlinfn.storage.asking import Asking, silent
from jupyter_mlinfn.storage.backups import copies
from jupyter_mlinfn.storage.backups.restores import Restores, restored_now
from jupyter_mlinfn.storage.bucket.buckets import Buckets
from jupyter_mlinfn.storage.descent import top
from jupyter_mlinfn.storage.measuring import Counting, use_of_file_system

T = TypeVar("T")

LOOK_SECONDS: Final = 2.0
"""How long the list waits for areas; one that takes longer is told as silent."""
WORK_SECONDS: Final = 30.0


@dataclass(frozen=True)
class _Seen:
    """What one look at an area found."""

    use: AreaUse | None
    notes: tuple[AreaNote, ...]
    copies: int
    newest: datetime | None


class Storage:
    """The areas of one person's session. ``areas`` tells them; ``person`` is her name;
    ``buckets`` are those of them that lie in an object store; ``tasks`` is the folder of her
    restores."""

    def __init__(
        self,
        areas: Callable[[], tuple[Area, ...]],
        person: str,
        buckets: Buckets | None = None,
        *,
        tasks: Path,
    ) -> None:
        self._areas = areas
        self._person = person
        self._asking = Asking()
        self._counting = Counting()
        self.buckets = buckets or Buckets()
        self.restores = Restores(tasks)

    def list(self, patience: float = LOOK_SECONDS) -> AreaList:
        """All areas as they are now. Raises :class:`InputError` (``bad-areas``)."""
        begun = time.time()
        looks: dict[str, Future[_Seen] | MlinfnError] = {}
        for area in self._areas():
            if area.store is not None:
                continue
            try:
                looks[area.name] = self._asking.begin(area.name, self._look(area))
            except Unavailable as error:
                looks[area.name] = error
        wait([one for one in looks.values() if isinstance(one, Future)], patience)
        states = (
            self._state(area, looks[area.name], begun)
            if area.store is None
            else self.buckets.state(area)
            for area in self._areas()
        )
        return AreaList(
            areas=tuple(states), restores=self.restores.list(), taken_at=datetime.now(UTC)
        )

    def list_counted(self, patience: float = WORK_SECONDS) -> AreaList:
        """:meth:`list`, once what is being counted is counted or ``patience`` seconds are over."""
        until = time.monotonic() + patience
        while True:
            found = self.list()
            if time.monotonic() > until or not any(one.counting for one in found.areas):
                return found
            time.sleep(0.1)

    def area(self, name: str) -> Area:
        """The area of a name. Raises :class:`NotFound` (``no-such-area``)."""
        return area_named(self._areas(), name)

    def add_note(self, name: str, asked: NoteRequest) -> AreaNote:
        """Write a note into an area; raises as :func:`~.notes.add_note`."""
        area = self.area(name)
        return self._do(area, lambda: notes.add_note(area, self._person, asked))

    def remove_note(self, name: str, note: str) -> None:
        """Take a note of one's own away; raises as :func:`~.notes.remove_note`."""
        area = self.area(name)
        self._do(area, lambda: notes.remove_note(area, note))

    def backups(self, name: str) -> BackupList:
        """The copies of an area. Raises :class:`NotFound` (``no-backups``)."""
        area = self.area(name)
        folder = copies.folder_with_copies(area)
        return self._do(area, lambda: copies.copies_in(folder))

    def browse(self, name: str, copy: str, key: str) -> BackupFolder:
        """A folder of a copy; raises as :func:`~.backups.copies.list_folder`."""
        area = self.area(name)
        return self._do(area, lambda: copies.list_folder(area, copy, key))

    def deleted(self, name: str, copy: str) -> DeletedFiles:
        """What was deleted since a copy was made."""
        area = self.area(name)
        return self._do(area, lambda: copies.deleted_since(area, copy))

    def restore(self, name: str, asked: RestoreRequest) -> RestoreTask:
        """Begin to bring something back; it goes on when this server ends."""
        return self.restores.start(self.area(name), asked)

    def restore_now(self, name: str, asked: RestoreRequest) -> RestoreTask:
        """Bring something back and wait for it; raises as :func:`~.backups.restoring.restore`."""
        return restored_now(self.area(name), asked)

    def _do(self, area: Area, call: Callable[[], T]) -> T:
        try:
            return self._asking.within(area.name, WORK_SECONDS, call)
        except OSError as error:
            raise _explained(area, error) from error

    def _look(self, area: Area) -> Callable[[], _Seen]:
        return lambda: _look(area, self._person)

    def _state(self, area: Area, look: Future[_Seen] | MlinfnError, begun: float) -> AreaState:
        if isinstance(look, MlinfnError):
            return AreaState(area=area, state="silent", problem=look.text)
        if not look.done():
            return AreaState(area=area, state="silent", problem=silent(area.name, begun).text)
        try:
            seen = look.result()
        except OSError as error:
            problem = _explained(area, error)
            missing = isinstance(problem, NotFound)
            return AreaState(
                area=area, state="missing" if missing else "refused", problem=problem.text
            )
        use, counting = seen.use, False
        if area.quota is not None and (use is None or use.of != "quota"):
            use, counting = self._counting.use(area)
        return AreaState(
            area=area,
            state="ready",
            use=use,
            counting=counting,
            notes=seen.notes,
            copies=seen.copies,
            newest=seen.newest,
        )


def _look(area: Area, person: str) -> _Seen:
    if area.kind == "bucket" and not area.path:
        return _Seen(None, (), 0, None)
    with top(area.path) as at:
        use = None if area.kind == "bucket" else use_of_file_system(at, area.path)
    found = notes.read_notes(area, person) if area.kind == "collabspace" else ()
    kept = _copies(area)
    return _Seen(use, found, len(kept), kept[0] if kept else None)


def _copies(area: Area) -> tuple[datetime, ...]:
    """When the copies were made; none where their folder is not there yet."""
    if area.snapshots is None or not Path(area.snapshots).is_dir():
        return ()
    return tuple(copy.made_at for copy in copies.copies_in(area.snapshots).copies)


def _explained(area: Area, error: OSError) -> MlinfnError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFound(
            f"The folder of {area.title} is not there. Ask your admin.", code="area-missing"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refused(
            f"You may not do this in {area.title} ({error.strerror}).", code="area-refused"
        )
    return Unavailable(
        f"{area.title} does not work now: {error.strerror or error}.", code="area-fails"
    )
