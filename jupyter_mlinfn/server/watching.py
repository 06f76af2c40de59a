"""What the live topic ``tasks`` shows: environments and the tasks that work on them.

While a task runs its progress is read four times a second. At rest a look costs two ``stat``:
every task, also one of the program or of another server, makes a folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from jupyter_mlinfn.server.messages import TaskChanges, Tasks

if TYPE_CHECKING:
    from jupyter_mlinfn.model.environment_tasks import Task, TaskList
    from jupyter_mlinfn.model.environments import EnvironmentList
    from jupyter_mlinfn.workbench import Workbench

BUSY_SECONDS = 0.25
REST_SECONDS = 1.0
MEASURING_SECONDS = 1.0
ENVIRONMENTS_SECONDS = 15.0
"""So long the list of environments may be old when nothing says that it changed."""


class EnvironmentsWatch:
    """What was shown last, and what is other now. Methods may be called from any thread."""

    def __init__(self, bench: Callable[[], Workbench]) -> None:
        self._bench = bench
        self._lock = Lock()
        self._environments: EnvironmentList | None = None
        self._tasks: dict[str, Task] = {}
        self._looked = float("-inf")
        self._stamp: tuple[int, ...] = ()
        self.due = False
        self.interval = REST_SECONDS

    def everything(self) -> bytes:
        """A full frame's data, as of the last change that was told."""
        from jupyter_mlinfn.model.environment_tasks import TaskList

        with self._lock:
            if self._environments is None:
                environments = self._list_environments()
                self._tasks = _by_id(self._list_tasks())
                self._environments = environments
            shown = TaskList(tasks=tuple(self._tasks.values()))
            return Tasks(environments=self._environments, tasks=shown).model_dump_json().encode()

    def look(self) -> bytes | None:
        """A delta's data; ``None`` when nothing changed since the last call."""
        with self._lock:
            stamp = self._folders()
            if self._environments is None or not self._worth_looking(stamp):
                return None
            before, now = self._tasks, _by_id(self._list_tasks())
            changed = tuple(task for task in now.values() if before.get(task.id) != task)
            gone = tuple(name for name in before if name not in now)
            found = self._new_environments(ended=any(task.result for task in changed))
            self._tasks, self._stamp = now, stamp
            if not (changed or gone or found):
                return None
            changes = TaskChanges(environments=found, changed=changed, gone=gone)
            return changes.model_dump_json().encode()

    def _worth_looking(self, stamp: tuple[int, ...]) -> bool:
        running = any(task.state == "running" for task in self._tasks.values())
        late = monotonic() - self._looked >= self._patience()
        return running or self.due or late or stamp != self._stamp

    def _patience(self) -> float:
        measuring = self._environments is not None and self._environments.measuring
        return MEASURING_SECONDS if measuring else ENVIRONMENTS_SECONDS

    def _folders(self) -> tuple[int, ...]:
        layout = self._bench().layout
        return tuple(_changed_at(folder) for folder in (layout.tasks, layout.own))

    def _new_environments(self, *, ended: bool) -> EnvironmentList | None:
        """The environments when they changed and it is time to look at them."""
        if not (ended or self.due) and monotonic() - self._looked < self._patience():
            return None
        self.due = False
        before, self._environments = self._environments, self._list_environments()
        return None if self._environments == before else self._environments

    def _list_environments(self) -> EnvironmentList:
        self._looked = monotonic()
        return self._bench().catalogue.list()

    def _list_tasks(self) -> TaskList:
        found = self._bench().tasks.list()
        running = any(task.state == "running" for task in found.tasks)
        self.interval = BUSY_SECONDS if running else REST_SECONDS
        return found


def _by_id(found: TaskList) -> dict[str, Task]:
    return {task.id: task for task in found.tasks}


def _changed_at(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0  # nobody has made an environment yet
