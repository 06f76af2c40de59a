"""How the engine ends before it is done: cancelled from outside, or by an error.

The installer's threads cannot be interrupted: they write on, after an error too, into a folder
that is being removed. Therefore the process replaces itself (``execve(2)`` ends all other threads
at once) by a few lines that remove what was half made and put the result in its place. The locks
stay held until then.

A thread looks for the file ``cancel`` in the task's folder and for SIGTERM. Packing looks for
:attr:`Leaving.wished` itself and clears up what only it knows of.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from jupyter_mlinfn.environments.own.layout import Place
from jupyter_mlinfn.model.environment_tasks import TaskResult
from jupyter_mlinfn.process.durable import write_durably

CANCELLED = 130
"""Exit code: as a shell shows a program ended by Ctrl-C."""

_LOOK_EVERY = 0.1
_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
_LAST_WORDS = """
import os, shutil, sys
code, draft, result, staging, home = sys.argv[1:]
shutil.rmtree(staging, ignore_errors=True)
if home and not os.path.exists(home + "/environment.json"):
    try:
        if set(os.listdir(home)) == {"lock"}:
            os.unlink(home + "/lock")
            os.rmdir(home)
    except OSError:
        pass
os.replace(draft, result)
os._exit(int(code))
"""
"""Standard library only, and started without ``site``: it is there in 20 ms."""


class Leaving:
    """Knows what to remove on the way out, and watches for the wish to stop."""

    def __init__(self, folder: Path, kept: str) -> None:
        """``folder`` is the task's; ``kept`` the sentence that says what is as before."""
        self.wished = threading.Event()
        self._folder = folder
        self._kept = kept
        self._gate = threading.Lock()
        self._gently = False
        self._staging: Path | None = None
        self._home: Place | None = None
        self._locks: list[int] = []

    def watch(self) -> None:
        """Begin to look. To be called from the main thread, before others are started."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        threading.Thread(target=self._look, daemon=True, name="leaving").start()

    def build_in(self, staging: Path) -> None:
        """From now on ``staging`` is removed on the way out."""
        self._staging = staging

    def be_gentle(self) -> None:
        """From now on only note the wish to stop: who works looks for it."""
        self._gently = True

    def hold(self, descriptor: int, place: Place | None = None) -> None:
        """Keep this lock until the last thing is removed.

        It is that of the environment at ``place``, whose folder goes if nothing else is in it.
        """
        self._locks.append(descriptor)
        self._home = place or self._home

    def too_late(self) -> None:
        """The change is being made: nothing stops it any more. Waits for a stop under way."""
        self._gate.acquire()

    def cancelled(self) -> TaskResult:
        """The result of a task that was stopped."""
        return TaskResult(
            state="cancelled",
            ended_at=datetime.now(UTC),
            text=f"Cancelled. {self._kept}",
            exit_code=CANCELLED,
            code="cancelled",
        )

    def leave(self, result: TaskResult) -> NoReturn:
        """End this process: nothing half made stays, ``result`` is written. Raises OSError."""
        end_children()
        staging = self._staging or self._folder / "staging"
        draft = self._folder / "result.draft"
        try:
            write_durably(draft, result.model_dump_json(indent=1))
        except OSError:  # a full disk has room again without what was half made
            shutil.rmtree(staging, ignore_errors=True)
            write_durably(draft, result.model_dump_json(indent=1))
        for descriptor in self._locks:
            os.set_inheritable(descriptor, True)
        sys.stdout.flush()
        sys.stderr.flush()
        words = [
            str(result.exit_code),
            str(draft),
            str(self._folder / "result.json"),
            str(staging),
            str(self._home.folder) if self._home else "",
        ]
        argv = [sys.executable, "-I", "-S", "-c", _LAST_WORDS, *words]
        os.execve(sys.executable, argv, dict(os.environ))  # noqa: S606 - no shell is wanted

    def _look(self) -> None:
        wish = self._folder / "cancel"
        # pending, not waited for: an interrupted sigtimedwait(2) comes back from CPython 3.11 as if
        # a signal had come
        while not (sent := signal.sigpending() & _SIGNALS) and not wish.exists():
            time.sleep(_LOOK_EVERY)
        if sent:
            sys.stderr.write(f"Stopped by {', '.join(signal.Signals(n).name for n in sent)}.\n")
        self.wished.set()
        if not self._gently:
            with self._gate:
                self.leave(self.cancelled())


def end_children() -> None:
    """Kill the programs that this process started, with their groups."""
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208 - threads come and go meanwhile
        try:
            children = Path(f"/proc/self/task/{task}/children").read_text().split()
        except OSError:
            continue  # that thread has ended
        for pid in children:
            with suppress(ProcessLookupError):  # it has ended, or leads no group
                os.killpg(int(pid), signal.SIGKILL)
