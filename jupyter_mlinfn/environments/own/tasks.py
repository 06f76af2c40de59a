"""Tasks: started here, carried out by the engine's process, read by everybody.

::

    tasks/<id>/request.json    what is asked
    tasks/<id>/policy.json     what is allowed
    tasks/<id>/users.json      which jobs wait or run, for those that remove things
    tasks/<id>/alive           held from before the task is seen until its engine has ended
    tasks/<id>/events.jsonl    how far it is, one line an event
    tasks/<id>/cancel          asks the engine to stop
    tasks/<id>/result.json     how it ended; the last file that is written
    tasks/<id>/log             what the engine printed

The engine survives whoever started it. One that died is known by its lock, not by a PID.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from jupyter_mlinfn.environments.own.admitting import check_start, what_happened
from jupyter_mlinfn.environments.own.layout import Layout, check_name
from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import (
    Collect,
    Task,
    TaskEvent,
    TaskList,
    TaskRequest,
    TaskResult,
)
from jupyter_mlinfn.model.environments import EnvironmentUser, EnvironmentUsers
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, NotFound, Unavailable
from jupyter_mlinfn.process.detach import collect, own_program, start_detached
from jupyter_mlinfn.process.durable import touch_durably, write_atomically, write_durably
from jupyter_mlinfn.process.locks import acquire, held

ENGINE = "jupyter_mlinfn.environments.engine"
USERS = "users.json"

_REQUEST: TypeAdapter[TaskRequest] = TypeAdapter(TaskRequest)
_USERS: TypeAdapter[tuple[EnvironmentUser, ...]] = TypeAdapter(tuple[EnvironmentUser, ...])
_LARGEST = 64 * 2**20
_TAIL = 16 * 1024
_SHOWN_AFTER_END = timedelta(hours=1)
_KEPT_AFTER_END = timedelta(days=1)
_LOOK_EVERY = 0.01
_ALIVE_EVERY = 0.2
"""Seconds between two looks, while somebody waits, for the result and for the engine's life."""
_PASSED_ON = frozenset(
    {
        "HOME", "PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT",
        "PIP_CONFIG_FILE", "RATTLER_AUTH_FILE", "CONDA_OVERRIDE_GLIBC",
    }
)  # fmt: skip
"""What a program that fetches packages needs of the environment; no token is among it."""


class EnvironmentTasks:
    """The tasks in a layout. Methods read files: not for an event loop.

    ``policy`` is asked at every start, so that it is the policy of then. ``users`` tells which
    jobs there are, which whoever removes things must know.
    """

    def __init__(
        self,
        layout: Layout,
        policy: Callable[[], Policy],
        *,
        users: EnvironmentUsers | None = None,
        engine: str = ENGINE,
    ):
        self.layout = layout
        self._users = users
        self._policy = policy
        self._engine = engine
        self._ended: dict[str, tuple[int, Task]] = {}

    def start(self, request: TaskRequest, *, key: str | None = None) -> Task:
        """Start ``request`` in a process of its own; the same ``key`` again gives the same task.

        Raises :class:`InputError` for a name that cannot be one, :class:`Conflict` when another
        task works on this environment or it exists already, :class:`NotFound` when it does not,
        :class:`Unavailable` when the data folder cannot be written or, for what removes things,
        the jobs cannot be asked.
        """
        if not isinstance(request, Collect):
            check_name(request.name)
        identifier = secrets.token_hex(8) if key is None else _identifier_for(key)
        if key is not None and (known := self._known(identifier, request)):
            return known
        try:
            check_start(self.layout, request, self.running(request.name))
            alive = self._write(identifier, request)
        except MlinfnError:
            # another call with the same key may have started it a moment ago
            if key is not None and (known := self._known(identifier, request)):
                return known
            raise
        try:
            self._launch(identifier, alive)
        finally:
            os.close(alive)
        self.tidy()
        return self.read(identifier)

    def read(self, identifier: str) -> Task:
        """The task as it is now. Raises :class:`NotFound`, :class:`Unavailable`."""
        folder = self.layout.task(identifier)
        ended = _changed_at(folder / "result.json")
        known = self._ended.get(identifier)
        if ended is not None and known is not None and known[0] == ended:
            return known[1]
        task = self._read(folder)
        if ended is not None:
            # it is looked at four times a second, and a request may hold a lock file of megabytes
            self._ended[identifier] = (ended, task)
        return task

    def _read(self, folder: Path) -> Task:
        identifier = folder.name
        try:
            request = _REQUEST.validate_json(read_head(folder / "request.json", _LARGEST))
            started = (folder / "request.json").stat().st_mtime
            alive = held(folder / "alive")
        except FileNotFoundError:
            raise NotFound(
                f"There is no task {identifier}.",
                code="no-such-task",
                hint="Tasks are kept for one day after their end.",
            ) from None
        except (OSError, ValidationError) as error:
            raise Unavailable(
                f"The task {identifier} cannot be read: {error}", code="task-record"
            ) from error
        result = _read_result(folder)
        if result is None and not alive:
            result = self._conclude(folder, identifier, request)
        return Task(
            id=identifier,
            action=request.action,
            name=request.name,
            preview=request.preview,
            state=result.state if result else "running",
            started_at=datetime.fromtimestamp(started, UTC),
            event=_last_event(folder / "events.jsonl"),
            result=result,
        )

    def list(self) -> TaskList:
        """Tasks that run, and those that ended within the last hour; newest first."""
        collect()
        since = datetime.now(UTC) - _SHOWN_AFTER_END
        shown = [
            task for task in self._all() if task.result is None or task.result.ended_at > since
        ]
        return TaskList(tasks=tuple(sorted(shown, key=lambda task: task.started_at, reverse=True)))

    def cancel(self, identifier: str) -> Task:
        """Ask the engine to stop. A task that has ended stays as it ended."""
        task = self.read(identifier)
        if task.state != "running":
            return task
        try:
            touch_durably(self.layout.task(identifier) / "cancel")
        except OSError as error:
            raise Unavailable(
                f"The task could not be told to stop: {error.strerror}.", code="data-folder"
            ) from error
        return self.read(identifier)

    def wait(self, identifier: str, seconds: float) -> Task:
        """The task when it has ended, or as it is after ``seconds``."""
        until = time.monotonic() + seconds
        result = self.layout.task(identifier) / "result.json"
        while (task := self.read(identifier)).state == "running" and time.monotonic() < until:
            # whether an engine without a result is alive takes more than a look for the file
            again = min(until, time.monotonic() + _ALIVE_EVERY)
            while not result.exists() and time.monotonic() < again:
                time.sleep(_LOOK_EVERY)
        return task

    def tidy(self) -> int:
        """Remove tasks that ended more than a day ago; how many."""
        since = datetime.now(UTC) - _KEPT_AFTER_END
        old = [task for task in self._all() if task.result and task.result.ended_at < since]
        for task in old:
            shutil.rmtree(self.layout.task(task.id), ignore_errors=True)
            self._ended.pop(task.id, None)
        return len(old)

    def running(self, name: str) -> Task | None:
        """The task that works on the environment ``name`` now; empty: on all of them."""
        for task in self._all():
            if task.name == name and task.state == "running" and not task.preview:
                return task
        return None

    def _known(self, identifier: str, request: TaskRequest) -> Task | None:
        """The task that an earlier call with the same key started."""
        path = self.layout.task(identifier) / "request.json"
        if not path.exists():
            return None
        if _REQUEST.validate_json(read_head(path, _LARGEST)) != request:
            raise Conflict("This key was used for another request.", code="key-used", field="key")
        return self.read(identifier)

    def _write(self, identifier: str, request: TaskRequest) -> int:
        """Write the task's folder: whole or not at all. The descriptor of its lock, which is held.

        Raises :class:`Unavailable`.
        """
        draft = self.layout.tasks / f".{identifier}.{secrets.token_hex(4)}"
        jobs = self._users.unfinished() if self._users and isinstance(request, Collect) else ()
        alive: int | None = None
        try:
            draft.mkdir(mode=0o700, parents=True)
            policy = self._policy().model_dump_json(indent=1)
            write_durably(draft / "policy.json", policy)
            if isinstance(request, Collect):
                write_durably(draft / USERS, _USERS.dump_json(jobs))
            write_durably(draft / "request.json", request.model_dump_json(indent=1))
            alive = acquire(draft / "alive")
            assert alive is not None, "nobody else knows this folder yet"
            draft.rename(self.layout.tasks / identifier)
            write_atomically(self.layout.policy, policy)
        except OSError as error:
            if alive is not None:
                os.close(alive)
            shutil.rmtree(draft, ignore_errors=True)
            raise Unavailable(
                f"The task could not be written down: {error.strerror}. Nothing was changed.",
                code="data-folder",
                hint="Free some space or ask who owns the data folder.",
            ) from error
        return alive

    def _launch(self, identifier: str, alive: int) -> None:
        folder = self.layout.task(identifier)
        argv = own_program(self._engine, str(folder), str(alive))
        log = folder / "log"
        try:
            # Python alone may take a minute to start on a machine with too much to do
            start_detached(argv, env=engine_environment(), cwd=folder, log=log, pass_fds=(alive,))
        except OSError as error:
            text = f"The engine cannot be started: {error.strerror}. Nothing was changed."
            _write_result(folder, _result("failed", text, code="program-missing", exit_code=3))

    def _conclude(self, folder: Path, identifier: str, request: TaskRequest) -> TaskResult | None:
        """The result of a task whose engine died. It may have ended while we looked."""
        if (result := _read_result(folder)) is not None:
            return result
        text = what_happened(self.layout, identifier, request)
        result = _result("interrupted", text, code="interrupted", exit_code=1)
        with suppress(OSError):  # on a full disk the next look comes to the same end
            _write_result(folder, result)
        return result

    def _all(self) -> Iterator[Task]:
        try:
            names = [entry.name for entry in os.scandir(self.layout.tasks)]
        except OSError:
            return  # no task was started yet, or none can be in such a data folder
        for name in names:
            if name.startswith("."):
                continue
            try:
                yield self.read(name)
            except MlinfnError:
                continue  # removed while we look, or no task of ours


def engine_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the engine's process gets of ``environ`` (default: ours): a short list of names."""
    from jupyter_core.paths import jupyter_data_dir

    given = os.environ if environ is None else environ
    passed = {name: given[name] for name in _PASSED_ON if name in given}
    ours = {
        # kernels are registered where this server looks for them
        "JUPYTER_DATA_DIR": jupyter_data_dir(),
        # to look for plugins, pydantic reads the notes of every installed package
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }
    return {**passed, **ours}


def _identifier_for(key: str) -> str:
    return hashlib.sha256(f"key:{key}".encode()).hexdigest()[:16]


def _changed_at(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _read_result(folder: Path) -> TaskResult | None:
    try:
        return TaskResult.model_validate_json(read_head(folder / "result.json", _LARGEST))
    except (FileNotFoundError, ValidationError):
        return None


def _result(
    state: Literal["failed", "interrupted"], text: str, *, code: str, exit_code: int
) -> TaskResult:
    now = datetime.now(UTC)
    return TaskResult(state=state, ended_at=now, text=text, code=code, exit_code=exit_code)


def _write_result(folder: Path, result: TaskResult) -> None:
    write_durably(folder / "result.json", result.model_dump_json(indent=1))


def _last_event(path: Path) -> TaskEvent | None:
    """The newest event; ``None`` before the first. A line that was cut off does not count."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        try:
            return TaskEvent.model_validate_json(line)
        except ValidationError:
            continue
    return None
